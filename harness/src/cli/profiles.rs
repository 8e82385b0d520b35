//! `odg-bench profiles`.

use std::fmt::Write;

use clap::Subcommand;
use odg_profiles::{Component, Need, Presence, Profile, Volume, checks, diff, names, recommend};

use super::{Output, print, print_json};
use crate::exit::{self, Failure};

#[derive(Debug, Subcommand)]
pub(super) enum ProfilesCommand {
    /// List the shipped profiles
    List {
        /// Form of the result
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Show everything that a profile promises, with where each figure comes from
    Show {
        /// dev, small, medium, large, or a profile file
        name: String,
        /// Form of the result
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Show what differs between two profiles
    Diff {
        /// A profile
        a: String,
        /// Another
        b: String,
        /// Form of the result
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Choose a profile by volume and needs
    #[command(
        after_help = "Example:\n  odg-bench profiles recommend --volume 3TB/day --needs gpu,multi-az"
    )]
    Recommend {
        /// Daily volume, such as 3TB/day
        #[arg(long, value_parser = |text: &str| text.parse::<Volume>().map_err(|e| e.to_string()))]
        volume: Volume,
        /// Needs, separated by commas
        #[arg(long, value_delimiter = ',', value_parser = |text: &str| text.parse::<Need>().map_err(|e| e.to_string()))]
        needs: Vec<Need>,
        /// Form of the result
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
}

pub(super) fn execute(command: ProfilesCommand) -> Result<u8, Failure> {
    match command {
        ProfilesCommand::List { output } => list(output),
        ProfilesCommand::Show { name, output } => show(&Profile::load(&name)?, output),
        ProfilesCommand::Diff { a, b, output } => {
            show_diff(&Profile::load(&a)?, &Profile::load(&b)?, output)
        }
        ProfilesCommand::Recommend { volume, needs, output } => {
            let recommendation = recommend(volume, &needs);
            if output == Output::Json {
                print_json(&recommendation)?;
                return Ok(exit::PASS);
            }
            let mut text = format!("{}\n", recommendation.profile);
            for reason in &recommendation.reasons {
                let _ = writeln!(text, "  because {reason}");
            }
            for warning in &recommendation.warnings {
                let _ = writeln!(text, "  but {warning}");
            }
            print(&text)?;
            Ok(exit::PASS)
        }
    }
}

fn list(output: Output) -> Result<u8, Failure> {
    let profiles = names().iter().map(|name| Profile::load(name)).collect::<Result<Vec<_>, _>>()?;
    if output == Output::Json {
        print_json(&profiles)?;
        return Ok(exit::PASS);
    }
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:<8} {:>6} {:>8} {:>4} {:>9} {:>12}  USE CASE",
        "PROFILE", "vCPU", "RAM", "GPU", "STORAGE", "DEFAULT LOAD"
    );
    for profile in profiles {
        let resources = &profile.resources;
        let plus = if resources.at_least { "+" } else { "" };
        let _ = writeln!(
            text,
            "{:<8} {:>6} {:>8} {:>4} {:>9} {:>12}  {}",
            profile.name,
            format!("{}{plus}", resources.vcpu),
            format!("{}{plus}", resources.memory),
            match resources.gpu {
                0 => "-".to_owned(),
                gpus => format!("{gpus}{plus}"),
            },
            format!("{}{plus}", resources.storage),
            profile.volume.default.to_string(),
            profile.use_case,
        );
    }
    print(&text)?;
    Ok(exit::PASS)
}

fn show(profile: &Profile, output: Output) -> Result<u8, Failure> {
    if output == Output::Json {
        print_json(profile)?;
        return Ok(exit::PASS);
    }
    let mut text = format!("{} — {}\n\n", profile.name, profile.title);
    let _ = writeln!(text, "components");
    for component in Component::ALL {
        let mark = match profile.presence(component) {
            Presence::Present => "✓",
            Presence::Optional => "○",
            Presence::Absent => "-",
        };
        let _ = writeln!(text, "  {mark} {:<18} {}", component.label(), component.purpose());
    }
    let mut section = "";
    for row in profile.sections().iter().filter(|row| row.section != "components") {
        if row.section != section {
            section = &row.section;
            let _ = writeln!(text, "\n{section}");
        }
        let provenance = &row.provenance;
        let _ = writeln!(
            text,
            "  {:<44} {}  [{}: {}]",
            row.key,
            row.value,
            provenance.origin.label(),
            provenance.source
        );
    }
    let contradictions = checks(profile);
    if !contradictions.is_empty() {
        let _ = writeln!(text, "\nwhere the promise contradicts itself");
        for found in contradictions {
            let _ = writeln!(
                text,
                "  {}: promised {}, computed {}; {}",
                found.id, found.promised, found.computed, found.meaning
            );
        }
    }
    print(&text)?;
    Ok(exit::PASS)
}

fn show_diff(a: &Profile, b: &Profile, output: Output) -> Result<u8, Failure> {
    let differences = diff(a, b);
    if output == Output::Json {
        print_json(&differences)?;
        return Ok(exit::PASS);
    }
    let mut text = format!("{:<52} {:<32} {}\n", "", a.name, b.name);
    for difference in differences {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let _ = writeln!(
            text,
            "{:<52} {:<32} {}",
            difference.path,
            side(&difference.a),
            side(&difference.b)
        );
    }
    print(&text)?;
    Ok(exit::PASS)
}
