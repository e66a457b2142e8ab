//! Memory that is kept: activations of megabytes come and go by the thousand, and getting each anew from the kernel costs a
//! fifth of a training step (docs/log.md).

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// For training alone: the allocator reads its settings before `main`, so the program starts itself again with the one that matters:
/// never give memory back while running. Where that fails it goes on as it is, only slower.
pub fn keep() {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        const SETTING: &str = "MIMALLOC_PURGE_DELAY";
        if std::env::var_os(SETTING).is_none()
            && let Ok(own) = std::env::current_exe()
        {
            let mut again = std::process::Command::new(own);
            let name = std::env::args_os().next().unwrap_or_else(|| "clip-lung".into());
            let _ = again.arg0(name).args(std::env::args_os().skip(1)).env(SETTING, "-1").exec();
        }
    }
}
