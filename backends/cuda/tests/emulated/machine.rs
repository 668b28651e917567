//! The emulation itself: that it is right, and that it reports what a GPU leaves undefined.

use std::path::Path;

use jig_backend_cuda::kernels::PRELUDE;
use jig_backend_cuda::runtime::Runtime;
use jig_cuda_emulator::compiler;
use jig_cuda_emulator::kernel::{self, Grid, Kernel};

use crate::emulator::{DIRECTORY, Emulator};

/// Compiles a kernel and runs it with a block of 64 threads.
fn run_kernel(body: &str) -> Option<Result<Vec<u32>, String>> {
    run_defined("KERNEL(tried, 64, Out)", body)
}

/// The same with a definition of one's own.
fn run_defined(begin: &str, body: &str) -> Option<Result<Vec<u32>, String>> {
    let compiler = compiler::find().inspect_err(|why| println!("skipped: {why}")).ok()?;
    let program = format!("{PRELUDE}\nstruct Out {{ u32* out; }};\n{begin} {{ u32 t = threadIdx.x; {body} }}\n");
    let file = compiler::build(Path::new(DIRECTORY), &compiler, "tried", &program).expect("compiled");
    // Fibers of a failed launch stand in it for good: it is never unloaded.
    let kernel = Kernel::find(kernel::open(&file).expect("a library"), "tried").expect("the kernel");
    let mut out = vec![0u32; 64];
    let address = out.as_mut_ptr() as u64;
    let grid = Grid { blocks: [1, 1, 1], threads: 64, shared: 0 };
    // SAFETY: it is the kernel's only argument, and has as many elements as there are threads.
    Some(unsafe { kernel.run(grid, std::ptr::from_ref(&address).cast(), kernel.size()) }.map(|()| out))
}

#[test]
fn threads_meet_at_barriers_and_exchange_within_their_warps() {
    let all = "__shared__ u32 room[64]; room[t] = t; __syncthreads();
               u32 x = room[63 - t] + __shfl_xor_sync(ALL_LANES, t, 1);
               x += 1000 * __ffs(__ballot_sync(ALL_LANES, t % 32 == 5));
               a.out[t] = x + 100000 * __shfl_up_sync(ALL_LANES, t % 32, 1u);";
    let Some(out) = run_kernel(all) else { return };
    let up = |t: u32| (t % 32).saturating_sub(1);
    let right: Vec<u32> = (0..64).map(|t| 63 - t + (t ^ 1) + 6000 + 100_000 * up(t)).collect();
    assert_eq!(out.expect("runs"), right);
    // Counts that follow each other at once.
    let counted = "int some = 0; for (u32 i = 0; i < 64; i++) some = 2 * some % 251 + __syncthreads_count(t > i);
                   a.out[t] = some;";
    let Some(out) = run_kernel(counted) else { return };
    let right = (0..64).fold(0, |some, i| 2 * some % 251 + (63 - i));
    assert_eq!(out.expect("runs"), [right; 64]);
}

#[test]
fn what_a_gpu_leaves_undefined_is_an_error() {
    let wrong = [
        ("if (t < 5) __syncwarp();", "never come"),
        ("if (t % 32 == 3) return; a.out[t] = __shfl_sync(ALL_LANES, t, 0);", "never come"),
        ("if (t < 16) __syncthreads(); else a.out[t] = __syncthreads_count(1);", "different calls"),
        ("if (t < 16) __syncwarp(); else a.out[t] = __shfl_sync(ALL_LANES, t, 0);", "different calls"),
        ("a.out[t] = __shfl_sync(0xffffu, t, 0);", "some lanes"),
        ("a.out[t] = load_once((char*)a.out + 4).x;", "16"),
        ("DYNAMIC_SHARED(room); room[t] = 1.0f;", "more shared memory"),
    ];
    for (body, says) in wrong {
        let Some(outcome) = run_kernel(body) else { return };
        let error = outcome.expect_err(body);
        assert!(error.contains(says), "{body}: {error}");
    }
}

#[test]
fn a_kernel_that_begins_early_has_to_wait_for_the_one_before() {
    let early = |body: &str| run_defined("EARLY_KERNEL(tried, 64, 1, Out)", body);
    let Some(out) = early("if (t < 32) wait_for_previous(); a.out[t] = t;") else { return };
    assert_eq!(out.expect("runs"), (0..64).collect::<Vec<u32>>());
    let failed = early("a.out[t] = t;").expect("a compiler").expect_err("it waits for nothing");
    assert!(failed.contains("waits for the kernel before it"), "{failed}");
}

#[test]
fn an_order_of_threads_that_no_barrier_makes_does_not_hold() {
    // Each thread reads what the one before has written since the barrier.
    let race = "__shared__ u32 room[64]; room[t] = 0; __syncthreads();
                room[t] = t + 1; a.out[t] = t > 0 ? room[t - 1] : 0;";
    let Some(out) = run_kernel(race) else { return };
    assert!(out.expect("runs").iter().enumerate().any(|(t, x)| *x != t as u32));
}

#[test]
fn what_is_copied_to_shared_memory_is_there_once_it_is_waited_for_and_not_before() {
    let body = "alignas(16) __shared__ u32 room[256]; alignas(16) __shared__ u32 from[4];
                from[0] = 5; room[4 * t] = 7; __syncthreads();
                copy_async(place_of(room + 4 * t), from, t % 2 == 0);
                u32 before = room[4 * t]; wait_for_copies();
                a.out[t] = 100 * before + room[4 * t];";
    let Some(out) = run_kernel(body) else { return };
    // What is not real is zero.
    assert_eq!(out.expect("runs"), (0..64).map(|t| if t % 2 == 0 { 705 } else { 700 }).collect::<Vec<u32>>());
}

#[test]
fn matrices_are_loaded_as_they_lie_or_transposed() {
    let body = "alignas(16) __shared__ u16 room[256];
                for (u32 i = 0; i < 4; i++) room[4 * t + i] = (u16)(4 * t + i);
                __syncthreads();
                u32 plain[4], turned[4];
                load_matrices(place_of(room + lane_of() * 8), plain);
                load_matrices_transposed(place_of(room + lane_of() * 8), turned);
                a.out[t] = warp_of() == 0 ? plain[1] : turned[2];";
    let Some(out) = run_kernel(body) else { return };
    let element = |matrix: u32, row: u32, column: u32| 64 * matrix + 8 * row + column;
    let right = |t: u32| {
        let (one, two) = (t % 32 / 4, t % 4 * 2);
        if t < 32 {
            element(1, one, two) | element(1, one, two + 1) << 16
        } else {
            element(2, two, one) | element(2, two + 1, one) << 16
        }
    };
    assert_eq!(out.expect("runs"), (0..64).map(right).collect::<Vec<u32>>());
}

#[test]
#[ignore = "ends the process; `memory_past_the_end_of_an_allocation_is_out_of_reach` runs it"]
fn reads_past_the_end() {
    let emulator = Emulator::new(1 << 20);
    let address = emulator.allocate(96).expect("memory");
    let read = |offset: u64| {
        // SAFETY: the first of them lies inside; the other one is to be caught.
        unsafe { ((address + offset) as *const u8).read_volatile() }
    };
    assert_eq!(read(95), 0);
    println!("read {}", read(96));
}

#[cfg(unix)]
#[test]
fn memory_past_the_end_of_an_allocation_is_out_of_reach() {
    use std::os::unix::process::ExitStatusExt;
    let test = std::env::current_exe().expect("a path");
    let arguments = ["--exact", "machine::reads_past_the_end", "--ignored", "--nocapture"];
    let out = std::process::Command::new(test).args(arguments).output().expect("the test runs");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.signal().is_some() && said.contains("running 1 test") && !said.contains("read "), "{said}");
}
