//! Large objects, in parts.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::classify::{SYSTEM, sdk_error};
use super::{S3Driver, attempt};
use crate::driver::retry::with_retries;
use crate::driver::{Done, DriverError, ErrorKind};

/// Where the parts of one object go.
struct Upload<'a> {
    bucket: &'a str,
    key: &'a str,
    id: String,
}

impl S3Driver {
    /// Uploads `body` in parts, several at once. What has been uploaded is given up on failure, so that
    /// no half object is left to pay for.
    pub(super) async fn put_in_parts(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
    ) -> Result<Done<usize>, DriverError> {
        let started = self.start(bucket, key).await?;
        let upload = Upload { bucket, key, id: started.value };
        match self.send_and_complete(&upload, body).await {
            Ok(done) => Ok(Done { value: done.value, retries: done.retries + started.retries }),
            Err(error) => {
                if let Err(abort) = self.abort(&upload).await {
                    tracing::warn!(%abort, "an unfinished upload stays in {bucket}");
                }
                Err(error)
            }
        }
    }

    async fn start(&self, bucket: &str, key: &str) -> Result<Done<String>, DriverError> {
        let operation = format!("start upload {bucket}/{key}");
        with_retries(|_| {
            attempt(&operation, async {
                let answer =
                    self.client.create_multipart_upload().bucket(bucket).key(key).send().await;
                let answer = answer.map_err(|e| sdk_error(&operation, &e))?;
                answer.upload_id.ok_or_else(|| {
                    DriverError::new(ErrorKind::Protocol, SYSTEM, &operation, "no upload id")
                })
            })
        })
        .await
    }

    async fn send_and_complete(
        &self,
        upload: &Upload<'_>,
        body: Bytes,
    ) -> Result<Done<usize>, DriverError> {
        let size = self.options.part_bytes.max(1);
        let ranges = (0..body.len()).step_by(size).map(|at| at..(at + size).min(body.len()));
        let parts: Vec<Done<CompletedPart>> = futures::stream::iter(ranges.enumerate())
            .map(|(index, range)| self.send_part(upload, index, body.slice(range)))
            .buffered(self.options.part_concurrency.max(1))
            .try_collect()
            .await?;
        let count = parts.len();
        let mut retries = parts.iter().map(|part| part.retries).sum();
        let parts = parts.into_iter().map(|part| part.value).collect();
        let completed = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let operation = format!("complete upload {}/{}", upload.bucket, upload.key);
        let done = with_retries(|n| {
            let completed = completed.clone();
            let operation = &operation;
            attempt(operation, async move {
                let request = self.client.complete_multipart_upload();
                let request = request.bucket(upload.bucket).key(upload.key).upload_id(&upload.id);
                let answer = request.multipart_upload(completed).send().await;
                match answer.map_err(|e| sdk_error(operation, &e)) {
                    // The first attempt completed it, and its answer got lost.
                    Err(error) if n > 0 && error.kind() == ErrorKind::NotFound => {
                        self.head(upload.bucket, upload.key).await.map(drop)
                    }
                    other => other.map(drop),
                }
            })
        })
        .await?;
        retries += done.retries;
        Ok(Done { value: count, retries })
    }

    async fn send_part(
        &self,
        upload: &Upload<'_>,
        index: usize,
        part: Bytes,
    ) -> Result<Done<CompletedPart>, DriverError> {
        let operation = format!("upload part {} of {}/{}", index + 1, upload.bucket, upload.key);
        let number = i32::try_from(index + 1)
            .map_err(|e| DriverError::new(ErrorKind::Refused, SYSTEM, &operation, e))?;
        with_retries(|_| {
            attempt(&operation, async {
                let request = self.client.upload_part().bucket(upload.bucket).key(upload.key);
                let request = request.upload_id(&upload.id).part_number(number);
                let request = request.body(ByteStream::from(part.clone())).customize();
                let request = if self.options.sign_payload {
                    request
                } else {
                    request.disable_payload_signing()
                };
                let answer = request.send().await.map_err(|e| sdk_error(&operation, &e))?;
                let part = CompletedPart::builder().part_number(number);
                Ok(part.set_e_tag(answer.e_tag).build())
            })
        })
        .await
    }

    async fn abort(&self, upload: &Upload<'_>) -> Result<Done<()>, DriverError> {
        let operation = format!("abort upload {}/{}", upload.bucket, upload.key);
        with_retries(|_| {
            attempt(&operation, async {
                let request = self.client.abort_multipart_upload();
                let request = request.bucket(upload.bucket).key(upload.key).upload_id(&upload.id);
                request.send().await.map(drop).map_err(|e| sdk_error(&operation, &e))
            })
        })
        .await
    }
}
