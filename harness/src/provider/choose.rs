//! Which provider `--provider auto` takes, and why.

use odg_profiles::Component;
use odg_reports::record::Fidelity;

use super::Provider;
use super::docker::DockerProvider;
use super::local::LocalProvider;

/// Chooses between processes and containers: processes where all their servers are real, else containers where
/// an engine and every image are here, else processes, whose fakes are marked. Never pulls. The second value says
/// why, for people.
pub async fn auto(
    local: LocalProvider,
    docker: DockerProvider,
    wanted: &[Component],
) -> (Box<dyn Provider>, String) {
    if let Some(forced) = wanted.iter().find(|&&component| local.is_forced(component)) {
        let reason =
            format!("provider local: an implementation of {} was asked for", forced.name());
        return (Box::new(local), reason);
    }
    let unreal = unreal(&local, wanted);
    if unreal.is_empty() {
        return (Box::new(local), "provider local: every server is installed here".to_owned());
    }
    let without = format!("without the real {}", unreal.join(" and "));
    let why_not = match docker.missing_images(wanted).await {
        Ok(missing) if missing.is_empty() => {
            let reason = format!(
                "provider docker: {without} among the programs of this machine, and all images are here"
            );
            return (Box::new(docker), reason);
        }
        Ok(missing) => {
            let missing: Vec<&str> = missing.iter().map(|image| image.as_str()).collect();
            format!("images are not here: {}", missing.join(", "))
        }
        Err(error) => error.to_string(),
    };
    (Box::new(local), format!("provider local, {without}; not docker: {why_not}"))
}

/// The wanted components that processes of this machine would have no real server for.
fn unreal(local: &LocalProvider, wanted: &[Component]) -> Vec<&'static str> {
    let supported = local.components();
    wanted
        .iter()
        .filter(|component| supported.contains(component))
        .filter(|&&component| match local.resolve(&[component]) {
            Ok(plan) => plan.choices.iter().any(|choice| choice.fidelity != Fidelity::Real),
            Err(_) => true,
        })
        .map(|component| component.name())
        .collect()
}
