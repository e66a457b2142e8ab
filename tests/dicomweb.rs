//! Predictions of a series on a DICOMweb server, and reports stored there: a small server of the test's own, and Orthanc (Debian:
//! orthanc, orthanc-dicomweb) where it is installed.

#![allow(clippy::unwrap_used, clippy::panic)]

mod archive;
mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use archive::Scan;
use common::{Place, fails, files, json, ok, program, skipped};
use serde_json::{Value, json};

const VARIABLE: &str = "CLIP_LUNG_DICOMWEB_AUTHORIZATION";
const SECRET: &str = "Bearer c4n4ry";

/// A request as the server saw it.
#[derive(Clone, Debug, Default)]
struct Request {
    line: String,
    headers: String,
    body: Vec<u8>,
}

/// A server that gives every GET the same answer, and takes what is posted.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    fn new(status: &'static str, kind: &'static str, body: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/dicom-web", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let request = read(&stream);
                let posted = request.line.starts_with("POST");
                log.lock().unwrap().push(request);
                let mut stream = stream;
                let (status, kind, body) = if posted {
                    ("200 OK", "application/dicom+json", b"{}".as_slice())
                } else {
                    (status, kind, body.as_slice())
                };
                // a body may be shorter than it says
                let length = body.len() + usize::from(status == "200 Short") * 100;
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut request = Request::default();
    reader.read_line(&mut request.line).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        request.headers += &line.to_ascii_lowercase();
    }
    let length =
        request.headers.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).unwrap();
    request
}

/// The files of a folder as one answer.
fn multipart(dir: &str) -> Vec<u8> {
    let slices = files(dir.as_ref()).into_iter().filter(|(name, _)| name.ends_with(".dcm"));
    let parts = slices
        .flat_map(|(_, bytes)| [b"--b\r\nContent-Type: application/dicom\r\n\r\n".to_vec(), bytes, b"\r\n".to_vec()]);
    parts.chain([b"--b--\r\n".to_vec()]).flatten().collect()
}

const MULTIPART: &str = "multipart/related; type=\"application/dicom\"; boundary=b";

struct Study {
    place: Place,
    model: String,
    scan: Scan,
    dir: String,
}

impl Study {
    fn new() -> Self {
        let place = Place::new();
        let model = place.run("ce", "lidc-a");
        let scan = Scan::new(1, 0.9, 2.5);
        scan.write(&place.path("dicom"));
        let dir = place.name("dicom");
        Self { place, model, scan, dir }
    }

    /// The arguments that name the nodule.
    fn nodule(&self) -> Vec<String> {
        let [x, y, z] = self.scan.nodules[0].centre;
        let centre = format!("{},{},{z}", archive::ORIGIN[0] + x, archive::ORIGIN[1] + y);
        ["--model", &self.model, "--centre", &centre, "--diameter", "32.5", "--json"].map(str::to_owned).to_vec()
    }

    fn remote(&self, url: &str, more: &[&str]) -> Vec<String> {
        let study = format!("{}.1", self.scan.series);
        let named = ["predict", "--dicomweb", url, "--study", &study, "--series", &self.scan.series].map(str::to_owned);
        named.into_iter().chain(self.nodule()).chain(more.iter().map(|m| (*m).to_owned())).collect()
    }

    /// What the folder says, without its times.
    fn local(&self) -> Value {
        let words = [vec!["predict".to_owned(), self.dir.clone()], self.nodule()].concat();
        predictions(&ok(&words.iter().map(String::as_str).collect::<Vec<_>>()))
    }
}

fn predictions(said: &str) -> Value {
    let mut predictions = json(said)["predictions"].take();
    predictions[0]["ms"] = json!(0);
    // where it was read from
    predictions[0]["input"] = json!("");
    predictions
}

#[test]
fn a_series_from_a_server_and_a_report_to_it() {
    let study = Study::new();
    let server = Server::new("200 OK", MULTIPART, multipart(&study.dir));
    let out = study.place.name("reports");
    let words = study.remote(&server.url, &["--store", "--sr", &out]);
    let done = program(&words.iter().map(String::as_str).collect::<Vec<_>>()).env(VARIABLE, SECRET).output().unwrap();
    let (said, errors) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
    assert!(done.status.success(), "{errors}");
    assert_eq!(predictions(&said), study.local());
    assert_eq!(json(&said)["predictions"][0]["input"], server.url.as_str());
    assert!(!format!("{said}{errors}").contains("c4n4ry"), "credentials are not printed");

    let seen = server.seen();
    let paths: Vec<&str> = seen.iter().map(|r| r.line.split(' ').nth(1).unwrap()).collect();
    let (uid, series) = (format!("{}.1", study.scan.series), &study.scan.series);
    assert_eq!(paths, [format!("/dicom-web/studies/{uid}/series/{series}"), format!("/dicom-web/studies/{uid}")]);
    for request in &seen {
        assert!(
            request.headers.contains(&format!("authorization: {}", SECRET.to_ascii_lowercase())),
            "{}",
            request.headers
        );
    }
    let [(_, report)] = files(out.as_ref()).try_into().unwrap();
    let posted = &seen[1];
    assert!(
        posted.headers.contains("content-type: multipart/related; type=\"application/dicom\""),
        "{}",
        posted.headers
    );
    assert!(posted.body.windows(report.len()).any(|w| w == report), "the file and what was stored are the same");
}

#[test]
fn what_servers_answer_wrongly() {
    let study = Study::new();
    let whole = multipart(&study.dir);
    let half = whole[..whole.len() / 2].to_vec();
    for (status, kind, body, part) in [
        ("404 Not Found", "text/plain", b"no such study".to_vec(), "404 Not Found (no such study); check the address"),
        ("401 Unauthorized", "text/plain", Vec::new(), "give credentials in CLIP_LUNG_DICOMWEB_AUTHORIZATION"),
        ("200 OK", "text/html", b"<html>".to_vec(), "not multipart/related"),
        ("200 OK", MULTIPART, half.clone(), "ends within a part"),
        ("200 Short", MULTIPART, half, "the series can't be read"),
        ("200 OK", MULTIPART, b"--b--".to_vec(), "no CT slice in it"),
    ] {
        let server = Server::new(status, kind, body);
        let words = study.remote(&server.url, &[]);
        let (code, message) = fails(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(code, 3, "{part}: {message}");
        assert!(message.contains(part), "{part}: {message}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let words = study.remote(&format!("http://{closed}"), &[]);
    let (code, message) = fails(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(code == 3 && message.contains("can't be reached"), "{message}");
}

#[test]
fn what_is_asked_wrongly() {
    let study = Study::new();
    let server = Server::new("200 OK", MULTIPART, Vec::new());
    let usage = |words: &[String], part: &str| {
        let (code, message) = fails(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(code == 2 && message.contains(part), "{part}: {message}");
    };
    usage(&study.remote("ftp://pacs", &[]), "starts with https://");
    usage(&study.remote("http://me:pass@pacs", &[]), "not into the address");
    let mut odd = study.remote(&server.url, &[]);
    let at = odd.iter().position(|w| *w == study.scan.series).unwrap();
    odd[at] = "1/../2".into();
    usage(&odd, "is not a UID");
    usage(&[vec!["predict".into(), study.dir.clone(), "--store".into()], study.nodule()].concat(), "--dicomweb");
    assert!(server.seen().is_empty(), "nothing was asked");
}

/// Orthanc while a test needs it.
struct Orthanc(Child);

impl Drop for Orthanc {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn orthanc_gives_a_series_and_keeps_the_report() {
    let plugin = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";
    let installed = Command::new("Orthanc").arg("--version").output().is_ok_and(|o| o.status.success());
    if !installed || !std::path::Path::new(plugin).exists() {
        return skipped("Orthanc with its DICOMweb plugin is not installed");
    }
    let study = Study::new();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (http, dicom) = (free(), free());
    let settings = json!({
        "StorageDirectory": study.place.name("store"), "IndexDirectory": study.place.name("store"), "HttpPort": http, "DicomPort": dicom,
        "RemoteAccessAllowed": false, "AuthenticationEnabled": false, "Plugins": [plugin], "DicomWeb": {"Enable": true, "Root": "/dicom-web/"},
    });
    std::fs::write(study.place.path("orthanc.json"), settings.to_string()).unwrap();
    let child = Command::new("Orthanc")
        .arg(study.place.name("orthanc.json"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _orthanc = Orthanc(child.unwrap());
    let base = format!("http://127.0.0.1:{http}");
    let start = Instant::now();
    while ureq::get(format!("{base}/system")).call().is_err() {
        assert!(start.elapsed() < Duration::from_secs(60), "Orthanc does not answer");
        std::thread::sleep(Duration::from_millis(200));
    }
    for (_, bytes) in files(study.dir.as_ref()).into_iter().filter(|(name, _)| name.ends_with(".dcm")) {
        ureq::post(format!("{base}/instances")).send(&bytes[..]).unwrap();
    }
    let words = study.remote(&format!("{base}/dicom-web/"), &["--store"]);
    let said = ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(predictions(&said), study.local());

    let get = |path: &str| -> Value {
        let answer = ureq::get(format!("{base}/dicom-web/{path}")).header("accept", "application/dicom+json").call();
        json(&answer.unwrap().into_body().read_to_string().unwrap())
    };
    let series = get(&format!("studies/{}.1/series?Modality=SR", study.scan.series));
    assert_eq!(series.as_array().unwrap().len(), 1, "{series}");
    let uid = series[0]["0020000E"]["Value"][0].as_str().unwrap().to_owned();
    let kept = get(&format!("studies/{}.1/series/{uid}/metadata", study.scan.series));
    assert_eq!(kept[0]["00080060"]["Value"][0], "SR");
    assert_eq!(kept[0]["00100010"]["Value"][0]["Alphabetic"], "Secret^Name");
    let content = kept[0]["0040A730"].to_string();
    let p = predictions(&said)[0]["probabilities"]["malignant"].as_f64().unwrap();
    // JSON has the number without the zeros at its end
    assert!(content.contains(format!("{p:.6}").trim_end_matches('0')), "{p} in {content}");
    assert_eq!(
        get(&format!("studies/{}.1/series?Modality=CT", study.scan.series)).as_array().unwrap().len(),
        1,
        "the source is as it was"
    );
}
