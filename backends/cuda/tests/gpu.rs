//! The backend on a GPU, where there is one: the checks of `examples/check_gpu.rs`, which is the same program for machines that can't build it.

#[path = "../examples/check_gpu/checks.rs"]
mod checks;

#[test]
fn operations_models_and_promises_hold_on_a_gpu() {
    if let Err(error) = jig_backend_cuda::open("auto", &[]) {
        // What it says is what a user reads who starts the backend here.
        assert!(error.message.len() > 40, "{error}");
        println!("skipped: {error}");
        return;
    }
    for check in checks::ALL {
        let failed = (check.run)();
        assert!(failed.is_empty(), "{}: {failed:#?}", check.name);
    }
}
