//! S3, through aws-sdk-s3: path style, static credentials, plain or TLS.

mod classify;
mod connect;
mod leftovers;
mod multipart;
mod server_header;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

use std::future::Future;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::{Bytes, BytesMut};

use super::retry::with_retries;
use super::{Done, DriverError, ErrorKind, Prefix};
use crate::endpoint::S3Endpoint;
use classify::{SYSTEM, sdk_error};
use server_header::ServerHeader;

/// Time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for one attempt at one request, body included: an 8 MiB part at 300 KiB/s.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a request without a body, with which every client begins: a server that never answers shows here.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Keys per listing page and per batch delete, S3's own limit.
const PAGE: i32 = 1000;

/// How objects are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct S3Options {
    /// Objects larger than this go up in parts, in bytes.
    pub multipart_threshold: usize,
    /// Size of a part, in bytes; S3 wants at least 5 MiB.
    pub part_bytes: usize,
    /// Parts of one object in flight at once.
    pub part_concurrency: usize,
    /// Whether the signature covers a SHA-256 of the body, as clients do over plain HTTP.
    pub sign_payload: bool,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            multipart_threshold: 16 << 20,
            part_bytes: 8 << 20,
            part_concurrency: 4,
            sign_payload: true,
        }
    }
}

/// What a listing or a HEAD says about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Key.
    pub key: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Entity tag, as the server gave it.
    pub etag: String,
}

/// An S3 server.
#[derive(Clone)]
pub struct S3Driver {
    client: Client,
    url: String,
    options: S3Options,
    prefix: Prefix,
    server: ServerHeader,
}

impl S3Driver {
    /// A client of the server at `endpoint`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for a URL that is neither http nor https, or holds a login;
    /// [`ErrorKind::Certificate`] for certificates that cannot be read.
    pub fn new(
        endpoint: &S3Endpoint,
        options: S3Options,
        prefix: Prefix,
    ) -> Result<Self, DriverError> {
        let http = connect::http_client(endpoint)?;
        let server = ServerHeader::default();
        let credentials = Credentials::new(
            &endpoint.access_key,
            endpoint.secret_key.expose(),
            None,
            None,
            "odg-bench",
        );
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&endpoint.url)
            .region(Region::new(endpoint.region.clone()))
            .credentials_provider(credentials)
            .force_path_style(true)
            .http_client(http)
            // Attempts are counted here, not inside the SDK; bodies are inside our time-out.
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            // The ledger checks every byte end to end. A second checksum would only cost CPU.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .interceptor(server.clone())
            .build();
        let client = Client::from_conf(config);
        Ok(Self { client, url: endpoint.url.clone(), options, prefix, server })
    }

    /// Creates the bucket if it is not there yet.
    ///
    /// # Errors
    /// A name without the run's prefix; anything else as classified.
    pub async fn ensure_bucket(&self, bucket: &str) -> Result<Done<()>, DriverError> {
        self.prefix.check(SYSTEM, bucket)?;
        let operation = format!("create bucket {bucket}");
        with_retries(|_| {
            query(&operation, async {
                match self.client.create_bucket().bucket(bucket).send().await {
                    Ok(_) => Ok(()),
                    Err(error) => {
                        use aws_sdk_s3::error::ProvideErrorMetadata;
                        match error.code() {
                            Some("BucketAlreadyOwnedByYou") => Ok(()),
                            _ => Err(sdk_error(&operation, &error)),
                        }
                    }
                }
            })
        })
        .await
    }

    /// Stores an object, in parts above the threshold, and says how many requests carried its body.
    /// A multipart upload that fails is aborted.
    ///
    /// # Errors
    /// A bucket without the run's prefix; anything else as classified.
    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
    ) -> Result<Done<usize>, DriverError> {
        self.prefix.check(SYSTEM, bucket)?;
        if body.len() > self.options.multipart_threshold {
            return self.put_in_parts(bucket, key, body).await;
        }
        let operation = format!("put {bucket}/{key}");
        with_retries(|_| {
            attempt(&operation, async {
                let put = self.client.put_object().bucket(bucket).key(key);
                let put = put.body(ByteStream::from(body.clone())).customize();
                let put =
                    if self.options.sign_payload { put } else { put.disable_payload_signing() };
                put.send().await.map(|_| 1).map_err(|e| sdk_error(&operation, &e))
            })
        })
        .await
    }

    /// Reads an object whole. A body that breaks off is read again.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without such an object; anything else as classified.
    pub async fn get(&self, bucket: &str, key: &str) -> Result<Done<Bytes>, DriverError> {
        let operation = format!("get {bucket}/{key}");
        with_retries(|_| attempt(&operation, self.get_once(bucket, key, None, &operation))).await
    }

    /// Reads the first `bytes` (at least 1) of an object; fewer where it is shorter.
    ///
    /// # Errors
    /// As [`S3Driver::get`].
    pub async fn get_start(
        &self,
        bucket: &str,
        key: &str,
        bytes: u64,
    ) -> Result<Done<Bytes>, DriverError> {
        let operation = format!("get {bytes} bytes of {bucket}/{key}");
        let range = format!("bytes=0-{}", bytes.saturating_sub(1));
        let get =
            |_| attempt(&operation, self.get_once(bucket, key, Some(range.clone()), &operation));
        with_retries(get).await
    }

    async fn get_once(
        &self,
        bucket: &str,
        key: &str,
        range: Option<String>,
        operation: &str,
    ) -> Result<Bytes, DriverError> {
        let broken =
            |reason: String| DriverError::new(ErrorKind::Connection, SYSTEM, operation, reason);
        let request = self.client.get_object().bucket(bucket).key(key).set_range(range);
        let object = request.send().await;
        let mut object = object.map_err(|e| sdk_error(operation, &e))?;
        let announced = object.content_length().and_then(|n| usize::try_from(n).ok());
        let mut body = BytesMut::with_capacity(announced.unwrap_or_default());
        while let Some(chunk) = object.body.next().await {
            let chunk = chunk.map_err(|e| broken(super::error::chain(&e)))?;
            body.extend_from_slice(&chunk);
        }
        match announced {
            Some(bytes) if bytes != body.len() => {
                Err(broken(format!("{} bytes of {bytes} came", body.len())))
            }
            _ => Ok(body.freeze()),
        }
    }

    /// Size and entity tag of an object.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without such an object; anything else as classified.
    pub async fn head(&self, bucket: &str, key: &str) -> Result<Done<ObjectInfo>, DriverError> {
        let operation = format!("head {bucket}/{key}");
        with_retries(|_| {
            attempt(&operation, async {
                let head = self.client.head_object().bucket(bucket).key(key).send().await;
                let head = head.map_err(|e| sdk_error(&operation, &e))?;
                Ok(ObjectInfo {
                    key: key.to_owned(),
                    bytes: head.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
                    etag: head.e_tag().unwrap_or_default().to_owned(),
                })
            })
        })
        .await
    }

    /// Every object whose key starts with `prefix`, page by page.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without such a bucket; anything else as classified.
    pub async fn list(
        &self,
        bucket: &str,
        prefix: &str,
    ) -> Result<Done<Vec<ObjectInfo>>, DriverError> {
        let mut objects = Vec::new();
        let mut retries = 0;
        let mut token = None;
        loop {
            let page = self.list_page(bucket, prefix, token.as_deref()).await?;
            retries += page.retries;
            objects.extend(page.value.0);
            token = page.value.1;
            if token.is_none() {
                return Ok(Done { value: objects, retries });
            }
        }
    }

    async fn list_page(
        &self,
        bucket: &str,
        prefix: &str,
        token: Option<&str>,
    ) -> Result<Done<(Vec<ObjectInfo>, Option<String>)>, DriverError> {
        let operation = format!("list {bucket}/{prefix}");
        with_retries(|_| {
            attempt(&operation, async {
                let request = self.client.list_objects_v2().bucket(bucket).prefix(prefix);
                let request = request.max_keys(PAGE).set_continuation_token(token.map(Into::into));
                let page = request.send().await.map_err(|e| sdk_error(&operation, &e))?;
                let next = page.next_continuation_token().map(str::to_owned);
                let objects = page.contents.unwrap_or_default().into_iter().map(|o| ObjectInfo {
                    key: o.key.unwrap_or_default(),
                    bytes: o.size.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
                    etag: o.e_tag.unwrap_or_default(),
                });
                Ok((objects.collect(), next))
            })
        })
        .await
    }

    /// Deletes every object in one of the run's buckets whose key starts with `prefix`; says how many.
    ///
    /// # Errors
    /// A bucket without the run's prefix; an object that the server keeps; anything else as classified.
    pub async fn delete_prefix(&self, bucket: &str, prefix: &str) -> Result<u64, DriverError> {
        self.prefix.check(SYSTEM, bucket)?;
        let mut deleted = 0;
        loop {
            // Always the first page: the one before it has just been deleted.
            let (objects, _) = self.list_page(bucket, prefix, None).await?.value;
            if objects.is_empty() {
                return Ok(deleted);
            }
            deleted += objects.len() as u64;
            self.delete_batch(bucket, objects).await?;
        }
    }

    async fn delete_batch(
        &self,
        bucket: &str,
        objects: Vec<ObjectInfo>,
    ) -> Result<(), DriverError> {
        let operation = format!("delete objects in {bucket}");
        let build = |e| DriverError::new(ErrorKind::Protocol, SYSTEM, &operation, e);
        let keys = objects
            .into_iter()
            .map(|o| ObjectIdentifier::builder().key(o.key).build())
            .collect::<Result<Vec<_>, _>>()
            .map_err(build)?;
        let delete =
            Delete::builder().set_objects(Some(keys)).quiet(true).build().map_err(build)?;
        with_retries(|_| {
            attempt(&operation, async {
                let request = self.client.delete_objects().bucket(bucket).delete(delete.clone());
                let answer = request.send().await.map_err(|e| sdk_error(&operation, &e))?;
                match answer.errors().first() {
                    None => Ok(()),
                    Some(kept) => Err(DriverError::new(
                        ErrorKind::Server,
                        SYSTEM,
                        format!("{operation}: {}", kept.key().unwrap_or_default()),
                        kept.message().unwrap_or("kept without a reason"),
                    )),
                }
            })
        })
        .await
        .map(drop)
    }

    /// Deletes one of the run's buckets, which must be empty. A bucket that is gone already is fine.
    ///
    /// # Errors
    /// A name without the run's prefix; [`ErrorKind::Conflict`] where it is not empty.
    pub async fn delete_bucket(&self, bucket: &str) -> Result<(), DriverError> {
        self.prefix.check(SYSTEM, bucket)?;
        let operation = format!("delete bucket {bucket}");
        let done = with_retries(|_| {
            attempt(&operation, async {
                let answer = self.client.delete_bucket().bucket(bucket).send().await;
                answer.map(drop).map_err(|e| sdk_error(&operation, &e))
            })
        })
        .await;
        match done {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    /// Empties and deletes every bucket that carries the run's prefix, and says which.
    ///
    /// # Errors
    /// The first thing that cannot be deleted.
    pub async fn clean_up(&self) -> Result<Vec<String>, DriverError> {
        let buckets = self.buckets().await?.value;
        let own: Vec<String> = buckets.into_iter().filter(|name| self.prefix.owns(name)).collect();
        for bucket in &own {
            self.delete_prefix(bucket, "").await?;
            self.delete_bucket(bucket).await?;
        }
        Ok(own)
    }

    async fn buckets(&self) -> Result<Done<Vec<String>>, DriverError> {
        let operation = format!("list buckets at {}", self.url);
        with_retries(|_| {
            query(&operation, async {
                let answer = self.client.list_buckets().send().await;
                let answer = answer.map_err(|e| sdk_error(&operation, &e))?;
                let buckets = answer.buckets.unwrap_or_default();
                Ok(buckets.into_iter().filter_map(|bucket| bucket.name).collect())
            })
        })
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::Protocol if self.url.starts_with("http://") => {
                error.advise("if this is the server's TLS port, give https://")
            }
            _ => error,
        })
    }

    /// A real request: how many buckets these credentials see.
    ///
    /// # Errors
    /// As classified.
    pub async fn ping(&self) -> Result<Done<usize>, DriverError> {
        Ok(self.buckets().await?.map(|buckets| buckets.len()))
    }

    /// What the server calls itself in its `Server` header. S3 has no call for a version.
    ///
    /// # Errors
    /// As classified.
    pub async fn version(&self) -> Result<String, DriverError> {
        self.buckets().await?;
        Ok(self.server.last().unwrap_or_else(|| "not reported".to_owned()))
    }
}

/// Runs one attempt inside [`ATTEMPT_TIMEOUT`].
async fn attempt<T>(
    operation: &str,
    work: impl Future<Output = Result<T, DriverError>>,
) -> Result<T, DriverError> {
    within(ATTEMPT_TIMEOUT, operation, work).await
}

/// Runs one attempt at a request without a body inside [`QUERY_TIMEOUT`].
async fn query<T>(
    operation: &str,
    work: impl Future<Output = Result<T, DriverError>>,
) -> Result<T, DriverError> {
    within(QUERY_TIMEOUT, operation, work).await
}

async fn within<T>(
    limit: Duration,
    operation: &str,
    work: impl Future<Output = Result<T, DriverError>>,
) -> Result<T, DriverError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(DriverError::timeout(SYSTEM, operation, limit)),
    }
}
