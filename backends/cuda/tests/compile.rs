//! Every kernel compiles without a warning for each generation of GPUs, and none spills registers to memory.

use std::panic::catch_unwind;
use std::thread;

use jig_backend_cuda::compile::{Capability, compile};
use jig_backend_cuda::kernels::SOURCES;
use jig_backend_cuda::libraries;

const CAPABILITIES: [Capability; 3] =
    [Capability { major: 8, minor: 0 }, Capability { major: 9, minor: 0 }, Capability { major: 10, minor: 0 }];

/// What the compiler says of a kernel.
struct Usage {
    kernel: String,
    registers: u32,
    spilled: u32,
}

/// The kernels of a log, and the lines of it that are no such information.
fn read(log: &str) -> (Vec<Usage>, Vec<&str>) {
    let (mut usages, mut others) = (Vec::<Usage>::new(), Vec::new());
    for line in log.lines().filter(|line| !line.trim().is_empty()) {
        let number = |before: &str| -> Option<u32> {
            let (head, _) = line.split_once(before)?;
            head.rsplit(|c: char| !c.is_ascii_digit()).find(|word| !word.is_empty())?.parse().ok()
        };
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let kernel = rest.split('\'').next().unwrap_or(rest).to_owned();
            usages.push(Usage { kernel, registers: 0, spilled: 0 });
        } else if let Some(usage) = usages.last_mut().filter(|_| line.starts_with("ptxas")) {
            usage.registers = number(" registers").unwrap_or(usage.registers);
            usage.spilled = number(" bytes spill stores").unwrap_or(usage.spilled);
        }
        if !line.starts_with("ptxas") || line.contains("warning") {
            others.push(line);
        }
    }
    (usages, others)
}

#[test]
fn every_kernel_compiles_for_every_generation_without_warnings_and_spills() {
    match catch_unwind(libraries::nvrtc) {
        Ok(Ok(version)) => println!("NVRTC {version}: registers of each kernel for compute capability 8.0, 9.0, 10.0"),
        Ok(Err(error)) => return println!("skipped: {error}"),
        Err(_) => panic!("NVRTC is there and can't be asked for its version"),
    }
    // Each source in a thread for each generation.
    let logs = thread::scope(|scope| {
        let running = SOURCES.each_ref().map(|source| {
            CAPABILITIES.map(|capability| {
                scope.spawn(move || {
                    let compiled = compile(source, capability).unwrap_or_else(|error| panic!("{error}"));
                    assert!(compiled.cubin.starts_with(b"\x7fELF"), "{} gave no machine code", source.file);
                    compiled.log
                })
            })
        });
        running.map(|of_source| of_source.map(|log| log.join().expect("what was compiled")))
    });
    for (source, logs) in SOURCES.iter().zip(&logs) {
        let tables = logs.each_ref().map(|log| read(log));
        for (capability, (_, others)) in CAPABILITIES.iter().zip(&tables) {
            assert!(others.is_empty(), "{} for {capability}: {others:#?}", source.file);
        }
        assert!(!tables[0].0.is_empty(), "{} defines no kernel", source.file);
        for usage in &tables[0].0 {
            let of = |(usages, _): &(Vec<Usage>, _)| {
                let usage =
                    usages.iter().find(|other| other.kernel == usage.kernel).expect("a kernel for all generations");
                assert_eq!(usage.spilled, 0, "{} spills", usage.kernel);
                assert!(usage.registers > 0, "no registers are told for {}", usage.kernel);
                usage.registers
            };
            let [eight, nine, ten] = tables.each_ref().map(of);
            println!("{:12} {:20} {eight:4} {nine:4} {ten:4}", source.file, usage.kernel);
        }
    }
}

#[test]
fn a_log_is_read_with_its_warnings() {
    let log = "a.cu(3): warning #177-D: variable \"x\" was declared but never referenced\n\
               ptxas info    : Compiling entry function 'one' for 'sm_90'\n\
               ptxas         .     0 bytes stack frame, 24 bytes spill stores, 8 bytes spill loads\n\
               ptxas info    : Used 128 registers, used 0 barriers\n";
    let (usages, others) = read(log);
    assert_eq!((usages[0].kernel.as_str(), usages[0].registers, usages[0].spilled), ("one", 128, 24));
    assert_eq!(others.len(), 1);
}
