//! `clip-lung serve`: the demo page, the browser package and a model directory, on loopback.

use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use clip_lung_core::model::ensemble::ENSEMBLE;
use tower_http::services::ServeDir;

use crate::failure::Failure;
use crate::io::default_model::{self, DEFAULT};
use crate::io::model_dir::model_dir;
use crate::io::{input, installed};
use crate::machine::device;

/// The page talks to nobody but the server it came from; workers and WebAssembly are its own. The digest is that of the one script
/// inside of `web/demo/index.html`, which says what is wrong where no other script of the page arrives; the browser's tests compare them.
const POLICY: &str = include_str!("../../../web/demo/policy.txt").trim_ascii();

#[derive(clap::Args)]
pub struct Args {
    /// A model directory, or a finished run's, that the page predicts with; given several times, a reader chooses, and the first is
    /// loaded at once. The word `default` is the one that `predict` takes without --model [default: default]
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<PathBuf>,
    /// 0 takes any free port
    #[arg(long, default_value_t = 8080, allow_negative_numbers = true)]
    port: u16,
    /// The address to listen on; another than loopback lets other machines in
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// A name under which browsers may ask for this server, beside localhost and addresses; may be given several times
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
    /// The built page [default: the one installed with the program, or where this program was built]
    #[arg(long)]
    page: Option<PathBuf>,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
}

pub fn run(args: Args) -> Result<()> {
    let page = page(args.page.as_deref())?;
    let models = match &args.models[..] {
        [] => vec![served(None)?],
        named => named.iter().map(|place| served(Some(place))).collect::<Result<_>>()?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(&args, &models, &page))
}

/// A model on the page.
struct Served {
    dir: PathBuf,
    about: String,
}

/// The model of this name, or the one where none is named, checked: a browser should not be the first to meet a damaged one.
fn served(named: Option<&Path>) -> Result<Served> {
    let found = default_model::find(named)?;
    let place = found.display();
    if !found.is_dir() {
        let message =
            format!("{place}: no model directory there; `clip-lung demo` makes demo/model, or name one with --model");
        return Err(Failure::File(message).into());
    }
    if found.join(ENSEMBLE).is_file() {
        let message = format!("{place}: it is an ensemble, which the page can't load; serve one of its members");
        return Err(Failure::File(message).into());
    }
    let dir = model_dir(&found)?;
    let about = input::model(&dir, &device::select("auto")?.0)?.about();
    Ok(Served { dir, about })
}

/// `clip-lung demo` offers the page at its end: on a terminal it asks, elsewhere it says how.
pub fn offer(model: &Path) -> Result<()> {
    let known = default_model::find(None).is_ok();
    let models: Vec<PathBuf> = known.then(|| DEFAULT.into()).into_iter().chain([model.to_path_buf()]).collect();
    let command = models.iter().fold("clip-lung serve".to_owned(), |all, m| format!("{all} --model {}", m.display()));
    let what = if known { "This model and the one that ships, to choose from" } else { "This model" };
    let Ok(page) = page(None) else {
        println!("{what} in the browser: `make page`, then {command}");
        return Ok(());
    };
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        println!("{what} in the browser: {command}");
        return Ok(());
    }
    println!("{what} in the browser: open it now? [Y/n] (later: {command})");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim(), "" | "y" | "Y" | "yes") {
        let host = IpAddr::from([127, 0, 0, 1]);
        return run(Args { models, port: 0, host, names: Vec::new(), page: Some(page), open: true });
    }
    Ok(())
}

/// The folder of the built page.
fn page(given: Option<&Path>) -> Result<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/demo/dist");
    let places: Vec<PathBuf> = match given {
        Some(dir) => vec![dir.to_path_buf()],
        None => installed::places("page").into_iter().chain([built]).collect(),
    };
    if let Some(found) = places.iter().find(|dir| dir.join("index.html").is_file()) {
        return Ok(found.clone());
    }
    let looked = places.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
    Err(Failure::File(format!("{looked}: no built page there; build it with `make page`, or name it with --page"))
        .into())
}

async fn serve(args: &Args, models: &[Served], page: &Path) -> Result<()> {
    // the first lies where a static copy of the page has its only one
    let folder = |n: usize| if n == 0 { "model".into() } else { format!("model-{}", n + 1) };
    let folders: Vec<String> = (0..models.len()).map(folder).collect();
    let mut app = Router::new();
    for (folder, model) in folders.iter().zip(models) {
        app = app.nest_service(&format!("/{folder}"), ServeDir::new(&model.dir));
    }
    let list = serde_json::to_string(&folders)?;
    let app = app
        .route("/models.json", get(([(CONTENT_TYPE, "application/json")], list)))
        .fallback_service(ServeDir::new(page))
        .layer(from_fn(headers))
        .layer(from_fn_with_state(Arc::new(args.names.clone()), known_host));
    let address = SocketAddr::new(args.host, args.port);
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("{address} can't be listened on; choose another --port (0 takes a free one)"))?;
    let url = format!("http://{}/", listener.local_addr()?);
    println!("{url}  Ctrl-C ends");
    models.iter().for_each(|model| println!("  {}: {}", model.dir.display(), model.about));
    if args.open && open::that_detached(&url).is_err() {
        eprintln!("no browser could be opened; visit {url}");
    }
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}

/// Refuses requests for other names than this server's: a page of anyone's that has its own name point here (DNS rebinding) would
/// read what is served.
async fn known_host(State(names): State<Arc<Vec<String>>>, request: Request, next: Next) -> Response {
    let of_header = request.headers().get(HOST).and_then(|h| h.to_str().ok());
    let asked = request.uri().authority().map(Authority::as_str).or(of_header).unwrap_or("");
    if is_known(asked, &names) {
        return next.run(request).await;
    }
    let message = format!("this server does not answer for the host `{asked}`; start it with --name to allow one\n");
    (StatusCode::MISDIRECTED_REQUEST, message).into_response()
}

/// Whether a Host header names localhost, an address, or one of these names; ports don't matter.
fn is_known(asked: &str, names: &[String]) -> bool {
    let Ok(authority) = asked.parse::<Authority>() else { return false };
    let host = authority.host().trim_end_matches('.');
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    address || host.eq_ignore_ascii_case("localhost") || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// What every answer says: the policy, and how long a browser may keep it. Files named by their digest never change.
async fn headers(request: Request, next: Next) -> Response {
    let hashed = request.uri().path().starts_with("/assets/");
    let mut response = next.run(request).await;
    let keep =
        if hashed && response.status().is_success() { "public, max-age=31536000, immutable" } else { "no-cache" };
    let set: [(HeaderName, &'static str); 4] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, keep),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in set {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::is_known;

    #[test]
    fn names_of_others_are_refused() {
        for own in
            ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "192.168.0.7", "LocalHost.", "lab-pc:80"]
        {
            assert!(is_known(own, &["lab-pc".into()]), "{own}");
        }
        for other in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "lab-pc",
            "a b",
        ] {
            assert!(!is_known(other, &[]), "{other}");
        }
    }
}
