//! `jig check-plugin`: the conformance kit on a backend's file.

use std::path::PathBuf;

use clap::Args;
use jig_plugin_api::conformance::{self, CaseResult, Outcome};
use jig_plugin_api::{ModelSpec, load};

use super::CommandResult;
use super::out::say;
use crate::model::{self, ModelArgs};

#[derive(Args, Clone, Debug)]
pub(super) struct CheckPluginArgs {
    /// The plugin, a .so file
    file: PathBuf,
    /// The model to check it with: a directory, a model of the hub, or `demo`
    #[arg(long, env = "JIG_MODEL", default_value = "demo")]
    model: String,
    /// The device: auto, or a name that `jig backends` shows
    #[arg(long, env = "JIG_DEVICE", default_value = "auto")]
    device: String,
    /// The type of the weights, as for `jig serve`
    #[arg(long, env = "JIG_DTYPE", value_name = "TYPE", default_value = "auto")]
    dtype: String,
}

pub(super) fn run(args: &CheckPluginArgs) -> CommandResult {
    let loaded = load::backend(&args.file)?;
    let backend = loaded.backend();
    let spec = ModelSpec { device: args.device.clone(), dtype: args.dtype.clone(), ..ModelSpec::new("") };
    let choose = |names: &[String]| backend.model_files(names, &spec.dtype).map_err(|error| error.message);
    let model = model::resolve_for(&ModelArgs::new(args.model.as_str()), &choose)?;
    let spec = ModelSpec { directory: model.directory, ..spec };
    say!("{}: ABI {}\n", args.file.display(), loaded.abi_version());
    let problem = backend.describe().problem;
    let mut printed = Ok(());
    let summary = conformance::run(&*backend, &spec, &mut |case| {
        // What is skipped since the model can't be loaded says nothing of the plugin.
        let is_noise = problem.is_some() && matches!(case.outcome, Outcome::Skipped(_));
        if printed.is_ok() && !is_noise {
            printed = print(case);
        }
    });
    printed?;
    say!("\n{} passed, {} failed, {} skipped", summary.passed, summary.failed, summary.skipped);
    match problem {
        _ if summary.is_success() => Ok(()),
        Some(problem) => Err(format!("the plugin can't be checked on this machine: {problem}").into()),
        None => Err("the plugin does not conform".into()),
    }
}

/// A line for each case as soon as it has ended; what went wrong, or why it was skipped, stands below it.
fn print(case: &CaseResult) -> std::io::Result<()> {
    let (verdict, reason) = match &case.outcome {
        Outcome::Passed => ("pass", None),
        Outcome::Failed(reason) => ("FAIL", Some(reason)),
        Outcome::Skipped(reason) => ("skip", Some(reason)),
    };
    say!("{verdict}  {:32}  {}", case.name, case.promise);
    if let Some(reason) = reason {
        say!("      {reason}");
    }
    Ok(())
}
