//! Images: present, or pulled where a registry has them.

use bollard::errors::Error;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::TryStreamExt;
use odg_profiles::{Component, ImageReference};

use super::engine::Engine;
use super::error::{DockerError, is_missing, words};

/// What an image says about itself.
#[derive(Debug, Clone)]
pub(super) struct Image {
    /// By which it can be told from any other: its digest in a registry (`sha256:…`), or else the start of its id.
    pub identity: String,
    /// Version of the software in it: its label, else its tag.
    pub version: Option<String>,
}

/// Looks for an image on this machine.
pub(super) async fn find(
    engine: &Engine,
    image: &ImageReference,
) -> Result<Option<Image>, DockerError> {
    match engine.docker.inspect_image(image.as_str()).await {
        Ok(found) => Ok(Some(describe(image, found))),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(DockerError::refused(format!("look at image {image}"), &error)),
    }
}

fn describe(image: &ImageReference, found: ImageInspect) -> Image {
    let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
    let label = ["org.opencontainers.image.version", "version"]
        .iter()
        .find_map(|key| labels.get(*key).filter(|version| !version.is_empty()).cloned());
    let digest = found.repo_digests.into_iter().flatten().find_map(|of| {
        let (_, digest) = of.split_once('@')?;
        Some(digest.to_owned())
    });
    let identity = digest.unwrap_or_else(|| {
        let id = found.id.unwrap_or_default();
        let id: String = id.strip_prefix("sha256:").unwrap_or(&id).chars().take(12).collect();
        format!("id {id}, from no registry")
    });
    Image { identity, version: label.or_else(|| image.tag().map(str::to_owned)) }
}

/// The image, pulled where it is not here; says so on standard error, since it can take minutes.
pub(super) async fn have(
    engine: &Engine,
    component: Component,
    image: &ImageReference,
) -> Result<Image, DockerError> {
    if let Some(found) = find(engine, image).await? {
        return Ok(found);
    }
    eprintln!("odg-bench: {}: image {image} is not here; pulling it", component.name());
    let missing =
        |reason: String| DockerError::NoImage { component, image: image.to_string(), reason };
    pull(engine, image).await.map_err(|error| missing(words(&error)))?;
    find(engine, image).await?.ok_or_else(|| missing("it was pulled and is not there".to_owned()))
}

async fn pull(engine: &Engine, image: &ImageReference) -> Result<(), Error> {
    let options = CreateImageOptionsBuilder::new().from_image(image.as_str()).build();
    engine.docker.create_image(Some(options), None, None).try_for_each(|_| async { Ok(()) }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_told_by_its_digest_and_one_of_no_registry_by_its_id() {
        let reference: ImageReference = "postgres:16".parse().unwrap();
        let id = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let digest = format!("sha256:{}", "f".repeat(64));
        let mut found = ImageInspect { id: Some(id), ..ImageInspect::default() };
        let here = describe(&reference, found.clone());
        assert_eq!(here.identity, "id 0123456789ab, from no registry");
        assert_eq!(here.version.as_deref(), Some("16"));
        found.repo_digests = Some(vec![format!("postgres@{digest}")]);
        assert_eq!(describe(&reference, found).identity, digest);
    }
}
