//! A scripted chat completion server on loopback: it answers each question as the test says, and remembers what it was asked. Probes are
//! no questions of a test: it answers them by itself, as a server that can do everything, unless the test wants to.

use goldgate::run::PROBE;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The model that the server names, which is never what it was asked for.
pub const MODEL: &str = "mock-2026-01-01.ft-1";

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Path and query.
    pub path: String,
    /// Header fields, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Value,
    /// The last turn's text.
    pub question: String,
    /// How often this question had come to this path from this model's name before.
    pub nth: usize,
    /// Whether it is a probe.
    pub probe: bool,
}

impl Asked {
    /// Words of all turns: what this server takes for tokens.
    pub fn words(&self) -> usize {
        let turns = turns(&self.body);
        turns.iter().map(|t| t["content"].as_str().unwrap().split_whitespace().count()).sum()
    }
}

/// What the server does with a question.
pub enum Reply {
    /// Streams an answer after thinking for a while.
    Answer { text: String, think: Duration },
    /// The same in every odd framing that the standard allows, a byte at a time.
    Odd { text: String },
    /// The whole answer in one piece, not streamed.
    Whole { text: String },
    /// An answer whose end is for another reason than `stop`.
    Ended { text: String, reason: &'static str },
    /// A status with headers and a body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// An answer with one more header.
    WithHeader(&'static str, &'static str),
    /// Half an answer, and the connection's end.
    Cut,
    /// Half an answer whose chunks break off.
    Torn,
    /// Nothing, until the client goes.
    Hang,
    /// Whatever a server may put on the wire, and then the connection's end.
    Acts(Vec<Act>),
}

/// A part of a scripted reply.
pub enum Act {
    /// Status line and headers as they are.
    Head(u16, Vec<(&'static str, String)>),
    /// Bytes as they are.
    Send(Vec<u8>),
    /// The same bytes again and again.
    Repeat(Vec<u8>, usize),
    /// Nothing for a while.
    Pause(Duration),
    /// The connection's end without a goodbye (RST).
    Reset,
}

pub fn answer(text: &str) -> Reply {
    Reply::Answer { text: text.to_owned(), think: Duration::ZERO }
}

/// What a server says that can do everything.
pub fn capable(asked: &Asked) -> Reply {
    let body = &asked.body;
    let responses = asked.path.contains("/responses");
    let format = if responses { &body["text"]["format"] } else { &body["response_format"]["json_schema"] };
    let text = match format["schema"]["properties"]["probe"]["enum"][0].as_str() {
        Some(star) => json!({"probe": star}).to_string(),
        None => "yes".to_owned(),
    };
    let calls = body["tools"][0]["name"].as_str().or(body["tools"][0]["function"]["name"].as_str());
    let top: Vec<Value> = (0..body["top_logprobs"].as_u64().unwrap_or(0))
        .map(|i| json!({"token": "t", "logprob": -0.5 - i as f64}))
        .collect();
    let logprobs = json!([{"token": text, "logprob": -0.5, "top_logprobs": top}]);
    let mut reply = json!({"model": MODEL, "system_fingerprint": "fp_1"});
    if responses {
        let part = json!({"type": "output_text", "text": text, "logprobs": logprobs});
        let mut output = vec![json!({"type": "message", "content": [part]})];
        if let Some(name) = calls {
            output = vec![json!({"type": "function_call", "name": name, "arguments": "{}"})];
        }
        reply["status"] = json!("completed");
        reply["output"] = json!(output);
        reply["usage"] = json!({"input_tokens": 4, "output_tokens": 2});
    } else if format.is_null() && calls.is_none() && body.get("logprobs").is_none() {
        return answer(&text);
    } else {
        let mut choice =
            json!({"finish_reason": "stop", "message": {"content": text}, "logprobs": {"content": logprobs}});
        if let Some(name) = calls {
            choice["message"] =
                json!({"content": null, "tool_calls": [{"function": {"name": name, "arguments": "{}"}}]});
        }
        reply["choices"] = json!([choice]);
        reply["usage"] = json!({"prompt_tokens": 4, "completion_tokens": 2});
    }
    let headers = vec![("content-type", "application/json".to_owned()), ("x-ms-region", "Sweden Central".to_owned())];
    Reply::Status(200, headers, reply.to_string())
}

pub fn status(code: u16, body: &str) -> Reply {
    Reply::Status(code, Vec::new(), body.to_owned())
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A server that lives as long as its value.
pub struct Mock {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    hung: Arc<Mutex<Vec<Duration>>>,
    stop: Arc<AtomicBool>,
}

impl Mock {
    /// A server whose script answers the questions. Probes that come in a form of an endpoint's own are the script's too.
    pub fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let known = |a: &Asked| a.path.contains("/chat/completions") || a.path.contains("/responses");
        Self::start_probed(move |a| if a.probe && known(a) { capable(a) } else { script(a) })
    }

    /// A server whose script answers the probes too.
    pub fn start_probed(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mock = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
            hung: Arc::default(),
            stop: Arc::new(AtomicBool::new(false)),
        };
        let (script, stop): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&mock.stop));
        let (asked, hung) = (Arc::clone(&mock.asked), Arc::clone(&mock.hung));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (script, asked, hung) = (Arc::clone(&script), Arc::clone(&asked), Arc::clone(&hung));
                // A client that goes away in the middle ends its own connection only.
                std::thread::spawn(move || drop(serve(connection.unwrap(), &*script, &asked, &hung)));
            }
        });
        mock
    }

    /// The address, such as `http://127.0.0.1:4711`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How long each client waited that was let hang, by this machine's monotonic clock.
    pub fn hung(&self) -> Vec<Duration> {
        self.hung.lock().unwrap().clone()
    }

    /// Every request so far, but for probes.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|a| !a.probe).cloned().collect()
    }

    /// Every probe so far.
    pub fn probes(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|a| a.probe).cloned().collect()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    stream: TcpStream,
    script: &Script,
    asked: &Mutex<Vec<Asked>>,
    hung: &Mutex<Vec<Duration>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    while let Some(request) = read(&mut input, asked)? {
        let (text, reason, think, more) = match script(&request) {
            Reply::Hang => {
                let began = Instant::now();
                let _ = input.read(&mut [0]);
                hung.lock().unwrap().push(began.elapsed());
                return Ok(());
            }
            Reply::Acts(acts) => return perform(&mut out, acts),
            Reply::Cut => {
                let half = frames("half an answer", "stop", &request);
                head(
                    &mut out,
                    200,
                    &[("content-type", "text/event-stream".into()), ("connection", "close".into())],
                    None,
                )?;
                out.write_all(half[..3].concat().as_bytes())?;
                return Ok(());
            }
            Reply::Torn => {
                streaming(&mut out, &[])?;
                out.write_all(b"40\r\ndata: {\"choices\": [")?;
                return Ok(());
            }
            Reply::Status(code, headers, body) => {
                head(&mut out, code, &headers, Some(body.len()))?;
                out.write_all(body.as_bytes())?;
                continue;
            }
            Reply::Whole { text } => {
                let mut body = json!({"model": MODEL, "usage": usage(&text, &request)});
                body["choices"] = json!([{"index": 0, "finish_reason": "stop", "message": {"content": text}}]);
                let body = body.to_string();
                head(&mut out, 200, &[("content-type", "application/json".into())], Some(body.len()))?;
                out.write_all(body.as_bytes())?;
                continue;
            }
            Reply::Odd { text } => {
                streaming(&mut out, &[])?;
                let odd = frames(&text, "stop", &request).concat().replace("\n\n", "\r\n: still here\r\r\n");
                for byte in format!("\u{feff}: hello\n\n{odd}").bytes() {
                    chunk(&mut out, &[byte])?;
                }
                chunk(&mut out, b"")?;
                continue;
            }
            Reply::Ended { text, reason } => (text, reason, Duration::ZERO, vec![]),
            Reply::WithHeader(name, value) => ("x".to_owned(), "stop", Duration::ZERO, vec![(name, value.to_owned())]),
            Reply::Answer { text, think } => (text, "stop", think, vec![]),
        };
        streaming(&mut out, &more)?;
        let frames = frames(&text, reason, &request);
        // The filter's frame and the role come at once: no token of the model's.
        for frame in &frames[..2] {
            chunk(&mut out, frame.as_bytes())?;
        }
        std::thread::sleep(think);
        for frame in &frames[2..] {
            chunk(&mut out, frame.as_bytes())?;
        }
        chunk(&mut out, b"")?;
    }
    Ok(())
}

fn perform(out: &mut TcpStream, acts: Vec<Act>) -> std::io::Result<()> {
    for act in acts {
        match act {
            Act::Head(code, headers) => head(out, code, &headers, None)?,
            Act::Send(bytes) => out.write_all(&bytes)?,
            Act::Repeat(bytes, times) => (0..times).try_for_each(|_| out.write_all(&bytes))?,
            Act::Pause(time) => std::thread::sleep(time),
            Act::Reset => socket2::SockRef::from(&*out).set_linger(Some(Duration::ZERO))?,
        }
    }
    Ok(())
}

/// Reads a request and notes it; `None` where the client has gone.
pub fn read(input: &mut impl BufRead, asked: &Mutex<Vec<Asked>>) -> std::io::Result<Option<Asked>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length").map_or(0, |n| n.parse().unwrap())];
    input.read_exact(&mut body)?;
    // A token request is a form, or has no body; its path is what it asks.
    let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
    let body: Value = serde_json::from_slice(&body).unwrap_or_else(|_| text());
    let question = match body.is_object() {
        true => turns(&body).last().unwrap()["content"].as_str().unwrap().to_owned(),
        false => path.clone(),
    };
    let mut all = asked.lock().unwrap();
    let same = |a: &&Asked| a.question == question && a.path == path && a.body["model"] == body["model"];
    let nth = all.iter().filter(same).count();
    let probe = question.starts_with(PROBE);
    let request = Asked { path, headers, body, question, nth, probe };
    all.push(request.clone());
    Ok(Some(request))
}

/// The turns of a question, in chat completions' words or in those of the Responses API.
fn turns(body: &Value) -> &Vec<Value> {
    body.get("messages").unwrap_or_else(|| &body["input"]).as_array().unwrap()
}

fn usage(text: &str, request: &Asked) -> Value {
    let mut usage = json!({"prompt_tokens": request.words(), "completion_tokens": text.split_whitespace().count() + 1});
    // Who thinks is billed for it.
    if request.body.get("reasoning_effort").is_some() {
        usage["completion_tokens"] = json!(text.split_whitespace().count() + 1 + 40);
        usage["completion_tokens_details"] = json!({"reasoning_tokens": 40});
    }
    usage
}

/// The frames of a stream as Azure sends them: filter, role, a piece per word, end, usage, done.
pub fn frames(text: &str, reason: &str, request: &Asked) -> Vec<String> {
    let frame = |v: Value| format!("data: {v}\n\n");
    let choice = |delta: Value, reason: Value| {
        let choices = json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
        frame(json!({"id": "c", "model": MODEL, "system_fingerprint": "fp_1", "choices": choices}))
    };
    let mut all = vec![
        frame(json!({"id": "", "model": "", "choices": [], "prompt_filter_results": []})),
        choice(json!({"role": "assistant", "content": ""}), Value::Null),
    ];
    all.extend(text.split_inclusive(' ').map(|piece| choice(json!({"content": piece}), Value::Null)));
    all.push(choice(json!({}), json!(reason)));
    all.push(frame(json!({"model": MODEL, "choices": [], "usage": usage(text, request)})));
    all.push("data: [DONE]\n\n".to_owned());
    all
}

fn streaming(out: &mut impl Write, more: &[(&'static str, String)]) -> std::io::Result<()> {
    let mut headers = vec![
        ("content-type", "text/event-stream; charset=utf-8".to_owned()),
        ("transfer-encoding", "chunked".to_owned()),
        ("apim-request-id", "r-1".to_owned()),
        ("x-ms-region", "Sweden Central".to_owned()),
    ];
    headers.extend_from_slice(more);
    head(out, 200, &headers, None)
}

fn head(out: &mut impl Write, code: u16, headers: &[(&str, String)], length: Option<usize>) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {code} Status\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(n) = length {
        text.push_str(&format!("content-length: {n}\r\n"));
    }
    text.push_str("\r\n");
    out.write_all(text.as_bytes())
}

/// One piece of a chunked body; an empty one ends it.
fn chunk(out: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    out.write_all(&chunked(bytes))
}

/// A piece of a chunked body.
pub fn chunked(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
