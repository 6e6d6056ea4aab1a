//! Whom a key is shown to, and what a refused one leads to: C21, C22, C25.

use super::{KEY, assert_unseen, project, run, run_with};
use crate::identity::{self as id, APPLICATION, SECOND, SECRET, TOKEN};
use crate::mock::{Asked, Mock, Reply, answer, read, status};
use crate::project::{CASES, Project};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex};

#[test]
fn c21_no_redirect_is_followed_and_no_key_gets_to_another_host() {
    let other = Mock::start(|_| answer("x"));
    for code in [301, 302, 303, 307, 308] {
        let place = format!("{}/v1/chat/completions", other.url());
        let mock = Mock::start(move |_| Reply::Status(code, vec![("location", place.clone())], String::new()));
        let azure = Project::new();
        let target = |name: &str, prompt: &str| {
            format!(
                "[target.{name}]\nkind = \"azure-openai\"\nendpoint = \"{}\"\ndeployment = \"d\"\napi-key-env = \"MOCK_KEY\"\n\
                 prompt = \"{prompt}\"\n",
                mock.url()
            )
        };
        azure.write("goldgate.toml", target("base", "long") + &target("cand", "short"));
        for (p, header) in [(project(&mock.url(), ""), "authorization"), (azure, "api-key")] {
            let before = mock.asked().len();
            let out = run(&p, &["-j", "16"]);
            assert_eq!(out.code, 4, "{out:?}");
            assert!(out.stderr.contains(&format!("HTTP {code}")), "{}", out.stderr);
            let asked = &mock.asked()[before..];
            assert!((1..=2).contains(&asked.len()), "{}", asked.len());
            assert!(asked.iter().all(|a| a.headers[header].ends_with(KEY)), "the key goes where it belongs");
        }
    }
    assert_unseen(&other);
}

/// A server that speaks TLS with a certificate and answers every question; what it could read of them is in `asked`.
fn tls_server(certificate: CertificateDer<'static>, key: &KeyPair, asked: &Arc<Mutex<Vec<Asked>>>) -> String {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (config, asked) = (Arc::new(config), Arc::clone(asked));
    server(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut input = BufReader::new(StreamOwned::new(connection, stream));
        // A client that does not trust the certificate ends the connection.
        while let Ok(Some(_)) = read(&mut input, &asked) {
            let body = json!({
                "usage": {"prompt_tokens": 3, "completion_tokens": 2},
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "x"}}],
            })
            .to_string();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
            let out = input.get_mut();
            if out.write_all((head + &body).as_bytes()).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    })
}

/// A server that reads what a client says first and then says `bytes`.
fn raw_server(bytes: Vec<u8>) -> String {
    server(move |mut stream| {
        let mut hello = [0; 5];
        if stream.read_exact(&mut hello).is_ok() {
            let mut rest = vec![0; usize::from(u16::from_be_bytes([hello[3], hello[4]]))];
            drop(stream.read_exact(&mut rest).and_then(|()| stream.write_all(&bytes)));
            drop(stream.read(&mut [0; 64]));
        }
    })
}

/// Serves every connection in a thread of its own, as long as the test lives; the place is an `https` address.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("https://{}", listener.local_addr().unwrap());
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(connection));
        }
    });
    place
}

#[test]
fn c22_a_server_that_cannot_show_who_it_is_is_refused_with_the_reason_and_nothing_can_allow_it() {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let of = |names: &[&str], expired: bool, signed: bool| {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "a server");
        if expired {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        }
        let key = KeyPair::generate().unwrap();
        let certificate = if signed { params.signed_by(&key, &authority) } else { params.self_signed(&key) };
        tls_server(certificate.unwrap().der().clone(), &key, &asked)
    };
    // A ServerHello of TLS 1.0: version, random, no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    let hello = [&[0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
    let alert = vec![0x15, 3, 1, 0, 2, 2, 70];

    let run_at = |place: &str| {
        let p = project(place, "");
        p.write("authority.pem", authority.pem());
        let file = p.path("authority.pem").display().to_string();
        (run_with(&p, &["-j", "16"], &[("SSL_CERT_FILE", &file)]), p)
    };
    let (out, _) = run_at(&of(&["127.0.0.1"], false, true));
    assert_eq!(out.code, 0, "the certificate is in order: {out:?}");
    assert_eq!(std::mem::take(&mut *asked.lock().unwrap()).len(), 2 * CASES);

    for (place, want) in [
        (of(&["127.0.0.1"], true, true), "certificate expired"),
        (of(&["goldgate.example"], false, true), "not valid for name \"127.0.0.1\""),
        (of(&["127.0.0.1"], false, false), "UnknownIssuer"),
        (raw_server(hello), "ServerDoesNotSupportTls12Or13"),
        (raw_server(alert), "ProtocolVersion"),
    ] {
        let (out, p) = run_at(&place);
        assert_eq!(out.code, 4, "{want}: {out:?}");
        let said = out.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(want), "no {want}: {}", out.stderr);
        assert!(said.contains("no setting allows it"), "{}", out.stderr);
        assert!(!said.contains("attempt 2"), "the next attempt would meet the same: {}", out.stderr);
        assert!(p.read("r/journal.jsonl").is_empty(), "nothing was asked");
    }
    assert_eq!(asked.lock().unwrap().len(), 0, "no question, and so no key, got to any of them");

    for more in ["insecure = true", "verify = false", "tls-verify = false"] {
        let p = project("https://127.0.0.1:1", more);
        assert_eq!(run(&p, &[]).code, 2, "{more}");
    }
    assert_eq!(run(&project("https://127.0.0.1:1", ""), &["--insecure"]).code, 2);
}

#[test]
fn c25_a_token_that_ends_is_replaced_once_for_all_and_a_wrong_key_is_shown_twice_at_the_most() {
    const AT_ONCE: usize = 8;
    let refused = include_str!("../../fixtures/azure/err_401_rbac.json");
    // Eight questions are under way when the token ends, and are refused together.
    let (n, together) = (Arc::new(Mutex::new(0)), Barrier::new(AT_ONCE));
    let mock = Mock::start(move |a| {
        if !id::is_question(a) {
            return id::token(if a.nth == 0 { TOKEN } else { SECOND }, 3600);
        }
        let old = a.headers["authorization"].contains(TOKEN);
        let k = {
            let mut n = n.lock().unwrap();
            *n += 1;
            *n
        };
        if old && k > 16 {
            together.wait();
            return status(401, refused);
        }
        answer("x")
    });
    let p = id::project(&mock, &id::at(&mock, "client-secret"));
    let variables = [&APPLICATION[..], &[("AZURE_CLIENT_SECRET", SECRET)]].concat();
    // Both deployments are asked under one identity.
    let out = id::run(&p, &["run", "suites/mini", "--run-dir", "r", "-j", "8"], &variables);
    assert_eq!(out.code, 0, "{out:?}");
    assert_eq!(id::token_requests(&mock).len(), 2, "one at the start, and one refresh for all who were refused");
    assert_eq!(mock.asked().len(), 2 + 2 * CASES + AT_ONCE, "each of the eight is asked once more");
    let records: Vec<Value> = p.read("r/journal.jsonl").lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(records.len(), 2 * CASES);
    for r in records {
        assert_eq!(r["result"]["response"]["served"]["attempts"], 1, "no model saw what was refused: {r}");
    }

    // A key that nobody knows, however the service says so.
    let echo = format!("{{\"error\":{{\"code\":\"401\",\"message\":\"Incorrect API key provided: {KEY}.\"}}}}");
    for body in [refused.to_owned(), echo, String::new()] {
        let mock = Mock::start(move |_| status(401, &body));
        let p = project(&mock.url(), "");
        let out = run(&p, &["-j", "16"]);
        assert_eq!(out.code, 4, "{out:?}");
        assert!(out.stderr.contains("HTTP 401"), "{}", out.stderr);
        assert!(mock.asked().len() <= 2, "{} questions showed the wrong key", mock.asked().len());
        assert!(p.read("r/journal.jsonl").is_empty(), "nothing is recorded for what nobody answered");
    }
}
