//! The object store: whole and multipart objects come back byte for byte, and are gone once deleted.

use bytes::Bytes;
use odg_workloads::driver::ErrorKind;
use odg_workloads::driver::s3::{S3Driver, S3Options};
use odg_workloads::endpoint::S3Endpoint;

use super::{Answer, prefix, same, tidied};

pub(super) const ASKED: &str = "put an object and a multipart object, list, read both back, delete";

/// Larger than the multipart threshold.
const LARGE: usize = 17 << 20;

pub(super) async fn probe(endpoint: &S3Endpoint, run: &str) -> Answer {
    let prefix = prefix(run)?;
    let s3 = S3Driver::new(endpoint, S3Options::default(), prefix.clone())?;
    let bucket = prefix.as_str();
    let answer = tidied("minio", ask(&s3, bucket), s3.clean_up()).await?;
    let gone = s3.get(bucket, "small").await.err().map(|e| e.kind());
    same(gone, Some(ErrorKind::NotFound), "minio", "read a deleted object")?;
    Ok(answer)
}

async fn ask(s3: &S3Driver, bucket: &str) -> Answer {
    s3.ensure_bucket(bucket).await?;
    let small = Bytes::from_static(b"forty-two");
    let large: Bytes = (0..LARGE).map(|i| (i % 251) as u8).collect::<Vec<u8>>().into();
    s3.put(bucket, "small", small.clone()).await?;
    let parts = s3.put(bucket, "large", large.clone()).await?.value;
    let listed = s3.list(bucket, "").await?.value;
    same(listed.len(), 2, "minio", "list the objects")?;
    for (key, body) in [("small", &small), ("large", &large)] {
        let found = s3.get(bucket, key).await?.value;
        same(found == *body, true, "minio", "compare the bytes read back")?;
    }
    Ok(format!("both objects, the large one in {parts} parts, from {}", s3.version().await?))
}
