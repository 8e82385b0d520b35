//! A run as far as the arguments tell: everything that can be wrong with them is found before anything starts.

use std::collections::BTreeMap;
use std::ffi::OsString;

use odg_profiles::{Volume, read_images};
use odg_reports::record::Warning;
use odg_workloads::driver::postgres;
use tokio::runtime::Runtime;

use super::super::attach;
use super::{ProviderName, RunArgs};
use crate::exit::Failure;
use crate::host;
use crate::provider::attach::{AttachProvider, Given};
use crate::provider::docker::DockerProvider;
use crate::provider::local::{LocalProvider, Search};
use crate::provider::{Provider, choose};
use crate::run::session::wanted;
use crate::run::{Brings, RunPlan, RunRequest, Scale};

/// A run, ready to start as often as wanted.
pub(in crate::cli) struct Prepared {
    /// With the seed that was asked for.
    pub plan: RunPlan,
    /// How its stack comes to be; each start of it is a fresh stack.
    pub provider: Box<dyn Provider>,
    /// The endpoints that are attached to, where that was asked for.
    pub given: Option<Given>,
    request: RunRequest,
    /// Of the machine that they share, as far as is known.
    cores: u32,
    /// Whether the servers share this machine with the generator.
    shared: bool,
    warnings: Vec<Warning>,
}

/// A runtime for everything that talks to servers.
pub(in crate::cli) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::stack(format!("cannot start threads: {e}")))
}

impl Prepared {
    /// Reads what `args` name; variables in `environment` are seen in front of this process's own by what looks for
    /// local servers.
    ///
    /// # Errors
    /// Anything wrong with the arguments or the files that they name.
    pub(in crate::cli) fn new(
        args: &RunArgs,
        environment: &BTreeMap<String, String>,
        runtime: &Runtime,
    ) -> Result<Self, Failure> {
        args.check()?;
        let given = given(args)?;
        if let Some(variable) = obeyed_variable(given.as_ref()) {
            return Err(Failure::usage(format!(
                "environment variable {variable} is set: PostgreSQL's client library obeys it, and it would change \
                 what is measured; run `env -u {variable} odg-bench …`"
            )));
        }
        let request = args.request(given.as_ref());
        let shared = given.as_ref().is_none_or(Given::is_local);
        let mut cores = host::cores();
        let mut plan = request.plan(cores, shared)?;
        if args.images.is_some() && (args.provider == ProviderName::Local || given.is_some()) {
            return Err(Failure::usage(
                "--images is for --provider docker; nothing else has images",
            ));
        }
        let mut warnings = Vec::new();
        if let Some(given) = &given {
            warnings.extend(attach::exposed(given, args.attach.endpoints.as_deref()));
            warnings.extend(attach::kept(given, &plan));
        }
        let mapped = args.images.as_deref().map(read_images).transpose()?.unwrap_or_default();
        let docker = DockerProvider::new(&plan.profile, mapped);
        let here = std::env::vars_os();
        let own = environment.iter().map(|(name, value)| (name.into(), value.into()));
        let local = LocalProvider::new(Search::from_vars::<OsString, OsString>(here.chain(own)));
        let provider: Box<dyn Provider> = match (&given, args.provider) {
            (Some(given), _) => Box::new(AttachProvider::new(given.clone())),
            (None, ProviderName::Local) => Box::new(local),
            (None, ProviderName::Docker) => Box::new(docker),
            // Attaching without endpoints was refused.
            (None, ProviderName::Auto | ProviderName::Attach) => {
                let wanted = wanted(&plan.profile);
                let (provider, reason) = runtime.block_on(choose::auto(local, docker, &wanted));
                if !args.quiet {
                    eprintln!("  {reason}");
                }
                provider
            }
        };
        // Containers have the engine's cores, which may be fewer than this process has, or more.
        if provider.name() == "docker" && request.scale == Scale::Auto {
            let chosen = runtime.block_on(provider.plan(&wanted(&plan.profile)))?;
            if let Some(machine) = chosen.machine.filter(|machine| machine.cores != cores) {
                cores = machine.cores;
                plan = request.plan(cores, shared)?;
            }
        }
        plan.warnings.extend(warnings.iter().cloned());
        Ok(Self { plan, provider, given, request, cores, shared, warnings })
    }

    /// The same run with another seed.
    ///
    /// # Errors
    /// As for the plan itself.
    pub(in crate::cli) fn with_seed(&self, seed: u64) -> Result<RunPlan, Failure> {
        let mut plan = RunRequest { seed, ..self.request.clone() }.plan(self.cores, self.shared)?;
        plan.warnings.extend(self.warnings.iter().cloned());
        Ok(plan)
    }

    /// Says what somebody else's deployment would be loaded with, `runs` times, and waits for consent.
    ///
    /// # Errors
    /// Where there is none.
    pub(in crate::cli) fn consent(&self, args: &RunArgs, runs: u32) -> Result<(), Failure> {
        match &self.given {
            Some(given) if !self.plan.read_only => {
                attach::consent(given, &self.plan, runs, args.attach.yes)
            }
            _ => Ok(()),
        }
    }
}

impl RunArgs {
    fn request(&self, given: Option<&Given>) -> RunRequest {
        RunRequest {
            profile: self.profile.clone(),
            volume: self.volume,
            scale: self.scale,
            arrivals: self.arrivals.clone(),
            window: self.window,
            speedup: self.speedup,
            duration: self.duration,
            warmup: self.warmup,
            seed: self.seed,
            max_rate: self.attach.max_rate.map(Volume::bytes_per_second),
            read_only: self.attach.read_only,
            strict: self.attach.strict,
            brings: given.map_or(Brings::Everything, Given::brings),
            decisions_per_s: self.decisions,
        }
    }
}

/// The variable that would change what is measured of PostgreSQL, where it is loaded.
fn obeyed_variable(given: Option<&Given>) -> Option<&'static str> {
    match given {
        Some(given) => {
            given.endpoints.postgres.as_ref().and_then(|at| postgres::obeyed_variable(Some(at)))
        }
        None => postgres::obeyed_variable(None),
    }
}

/// The endpoints to attach to, where that is asked for.
fn given(args: &RunArgs) -> Result<Option<Given>, Failure> {
    let attach = args.provider == ProviderName::Attach || args.attach.endpoints.is_some();
    match (attach, args.provider, args.attach.wants_attach()) {
        (true, ProviderName::Auto | ProviderName::Attach, _) => {
            Ok(Some(Given::load(args.attach.endpoints.as_deref())?))
        }
        (_, _, Some(option)) => Err(Failure::usage(format!(
            "{option} is for --provider attach, not for a stack that is started"
        ))),
        (_, _, None) => Ok(None),
    }
}
