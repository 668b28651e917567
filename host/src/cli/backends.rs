//! `jig backends`: what is found, and what is wrong with what can't be used.

use clap::Args;
use jig_plugin_api::{DeviceInfo, OptionInfo};
use serde_json::json;

use super::load::BackendDirArgs;
use super::out::say;
use super::{CommandResult, table};
use crate::backend::{self, Found};

#[derive(Args, Clone, Debug)]
pub(super) struct BackendsArgs {
    #[command(flatten)]
    backend_dir: BackendDirArgs,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &BackendsArgs) -> CommandResult {
    let found = backend::list(&args.backend_dir.search_path());
    if args.json {
        say!("{}", serde_json::Value::Array(found.iter().map(as_json).collect()));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = found.iter().map(as_row).collect();
    table::print(&["name", "version", "ABI", "devices", "file"], &rows)?;
    let all = &found;
    for (place, found) in all.iter().enumerate().filter(|(_, found)| !found.options.is_empty()) {
        // The embedded backend may lie there as a plugin too.
        if all[..place].iter().any(|other| (&other.name, &other.options) == (&found.name, &found.options)) {
            continue;
        }
        say!("\nOptions of {} (--backend-option KEY=VALUE):", found.name);
        let width = found.options.iter().map(|option| option.key.len()).max().unwrap_or(0);
        for option in &found.options {
            say!("  {:width$}  {} [default: {}]", option.key, option.help, option.default);
        }
    }
    for found in &found {
        if let Some(problem) = &found.problem {
            say!("\n{} can't be used: {problem}", found.name);
        }
    }
    Ok(())
}

fn file(found: &Found) -> String {
    found.file.as_ref().map_or_else(|| "(embedded)".to_owned(), |file| file.display().to_string())
}

fn as_row(found: &Found) -> Vec<String> {
    let known = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let memory = |device: &DeviceInfo| match device.memory_bytes {
        0 => String::new(),
        bytes => format!(", {:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    };
    let device = |device: &DeviceInfo| format!("{} ({}{})", device.id, device.name, memory(device));
    let devices: Vec<String> = found.devices.iter().map(device).collect();
    vec![found.name.clone(), known(&found.version), known(&found.abi), known(&devices.join(", ")), file(found)]
}

fn as_json(found: &Found) -> serde_json::Value {
    let device =
        |device: &DeviceInfo| json!({"id": device.id, "name": device.name, "memory_bytes": device.memory_bytes});
    let option = |option: &OptionInfo| json!({"key": option.key, "default": option.default, "help": option.help});
    json!({
        "name": found.name,
        "version": found.version,
        "abi": found.abi,
        "devices": found.devices.iter().map(device).collect::<Vec<_>>(),
        "options": found.options.iter().map(option).collect::<Vec<_>>(),
        "file": found.file,
        "problem": found.problem,
    })
}
