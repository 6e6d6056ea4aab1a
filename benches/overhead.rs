//! What asking costs beside asking itself: a server that answers at once and a bare loop that asks it, for `benches/overhead.sh`.
//!
//! `overhead serve MILLISECONDS` answers every chat completion in a few pieces after so long, prints its address and ends with its standard
//! input. `overhead loop ADDRESS QUESTIONS IN_FLIGHT BODY` posts the file BODY as often as that over one connection pool, reads every answer
//! to its end, looks at nothing of it, and prints one JSON object. Without arguments it says so and does nothing.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    // `cargo bench` adds a flag of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", milliseconds] => serve(Duration::from_millis(milliseconds.parse()?)),
        ["loop", address, questions, in_flight, body] => {
            ask(address, questions.parse()?, in_flight.parse()?, std::fs::read(body)?)
        }
        _ => {
            println!("usage: overhead serve MILLISECONDS | overhead loop ADDRESS QUESTIONS IN_FLIGHT BODY");
            println!("benches/overhead.sh does all of it");
            Ok(())
        }
    }
}

/// One answer on the wire, cut where the server pauses or writes anew.
struct Pieces {
    /// The head, and the frames that come before any token.
    first: Vec<u8>,
    /// The answer's text in two pieces, each written apart.
    text: [Vec<u8>; 2],
    /// The reason to end, the usage and the end of the stream.
    last: Vec<u8>,
}

impl Pieces {
    fn new() -> Self {
        let frame = |json: &str| {
            let data = format!("data: {json}\n\n");
            format!("{:x}\r\n{data}\r\n", data.len())
        };
        let choice = |delta: &str, reason: &str| {
            frame(&format!(
                r#"{{"id":"chatcmpl-0","object":"chat.completion.chunk","created":1790000000,"model":"mock-2026-01-01","system_fingerprint":"fp_1","choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}"#
            ))
        };
        let mut first =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\
                         apim-request-id: 00000000-0000-0000-0000-000000000000\r\nx-ms-region: Sweden Central\r\n\r\n"
                .to_owned();
        first += &frame(r#"{"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":[]}"#);
        first += &choice(r#"{"role":"assistant","content":""}"#, "null");
        let mut last = choice("{}", r#""stop""#);
        last += &frame(
            r#"{"id":"chatcmpl-0","model":"mock-2026-01-01","choices":[],"usage":{"prompt_tokens":90,"completion_tokens":17,"total_tokens":107}}"#,
        );
        let done = "data: [DONE]\n\n";
        last += &format!("{:x}\r\n{done}\r\n0\r\n\r\n", done.len());
        Self {
            first: first.into_bytes(),
            text: [
                choice(r#"{"content":"Restart the print spooler, then "}"#, "null").into_bytes(),
                choice(r#"{"content":"send the page again."}"#, "null").into_bytes(),
            ],
            last: last.into_bytes(),
        }
    }
}

/// A thread per connection: its sleep is exact to some 50 µs, where a runtime's timers are to a millisecond.
fn serve(think: Duration) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        let pieces = Arc::new(Pieces::new());
        for connection in listener.incoming().flatten() {
            let pieces = Arc::clone(&pieces);
            // A client that goes away ends its own connection only.
            std::thread::spawn(move || drop(answer_all(connection, &pieces, think)));
        }
    });
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

fn answer_all(stream: TcpStream, pieces: &Pieces, think: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    let (mut line, mut body) = (Vec::new(), Vec::new());
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&line);
            let Some((name, value)) = text.trim_end().split_once(':') else {
                // The request's first line has no colon before its path; an empty one ends the head.
                if line.len() <= 2 {
                    break;
                }
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        body.resize(length, 0);
        input.read_exact(&mut body)?;
        let read = Instant::now();
        out.write_all(&pieces.first)?;
        if !think.is_zero() {
            std::thread::sleep(think.saturating_sub(read.elapsed()));
        }
        for text in &pieces.text {
            out.write_all(text)?;
        }
        out.write_all(&pieces.last)?;
    }
}

/// One thread asks, as goldgate's own runtime has one.
fn ask(address: &str, questions: usize, in_flight: usize, body: Vec<u8>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // The client comes without a choice of cryptography, and the loop speaks plain text.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = reqwest::Url::parse(&format!("{address}/v1/chat/completions"))?;
    // It lives as long as the process, so that no request copies it.
    let (body, left): (&'static [u8], _) = (body.leak(), Arc::new(AtomicUsize::new(questions)));
    let began = Instant::now();
    let read = runtime.block_on(async {
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..in_flight {
            let (client, url, left) = (client.clone(), url.clone(), Arc::clone(&left));
            workers.spawn(async move {
                let mut read = 0;
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                    let request = client.post(url.clone()).header("content-type", "application/json");
                    let mut reply = request.body(body).send().await?.error_for_status()?;
                    while let Some(chunk) = reply.chunk().await? {
                        read += chunk.len();
                    }
                }
                Ok::<_, reqwest::Error>(read)
            });
        }
        let mut read = 0;
        while let Some(worker) = workers.join_next().await {
            read += worker??;
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(read)
    })?;
    let seconds = began.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({ "seconds": seconds, "bytes": read, "peak-rss-kib": peak_rss_kib() }));
    Ok(())
}

/// The peak of resident memory; `null` where the system does not tell.
fn peak_rss_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?.trim().parse().ok()
}
