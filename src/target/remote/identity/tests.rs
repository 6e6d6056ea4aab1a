//! Tokens, their times and their sharing; what needs a socket is tested on the built program.

use super::cache::Cache;
use super::certificate::Certificate;
use super::spec::safe_address;
use super::token::claim;
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const PEM: &str = include_str!("../../../../tests/fixtures/identity/certificate.pem");

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/identity/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn seconds(token: &Token, of: impl Fn(&Token) -> Instant) -> u64 {
    of(token).saturating_duration_since(Instant::now()).as_secs_f64().round() as u64
}

#[test]
fn every_reply_of_a_token_service_is_read() {
    let server_now = jiff::Timestamp::from_second(1_794_999_999).unwrap();
    for (name, life) in [
        ("entra_token_ok", 3599),
        ("imds_token_ok", 86_399),
        ("appservice_token_ok", 1_795_086_399 - server_now.as_second() as u64),
    ] {
        let token = Token::from_reply(&fixture(name), server_now).unwrap();
        assert_eq!(seconds(&token, |t| t.ends_at), life, "{name}");
        assert_eq!(seconds(&token, |t| t.refresh_at), life - 300, "{name}: five minutes ahead");
        assert_eq!(token.audience().as_deref(), Some("https://ai.azure.com"), "{name}");
        assert!(!format!("{token:?}").contains("c2ln"), "a token shows nowhere");
    }
    let of = |v: Value| Token::from_reply(&v, server_now);
    let wish = of(json!({"access_token": "t", "expires_in": 7200, "refresh_in": "3600"})).unwrap();
    assert_eq!(seconds(&wish, |t| t.refresh_at), 3600, "the service's wish counts where it is sooner");
    let short = of(json!({"access_token": "t", "expires_in": 400})).unwrap();
    assert_eq!(seconds(&short, |t| t.refresh_at), 200, "a short life is used by half");
    let endless = of(json!({"access_token": "t", "expires_in": i64::MAX})).unwrap();
    assert_eq!(seconds(&endless, |t| t.ends_at), 7 * 24 * 3600);
    for (reply, want) in [
        (json!({}), "no `access_token`"),
        (json!([]), "no `access_token`"),
        (json!({"access_token": 1, "expires_in": 1}), "no `access_token`"),
        (json!({"access_token": "a\nb", "expires_in": 1}), "cannot stand in a header"),
        (json!({"access_token": "", "expires_in": 1}), "is empty"),
        (json!({"access_token": "t"}), "when the token ends"),
        (json!({"access_token": "t", "expires_on": [1]}), "when the token ends"),
        (json!({"access_token": "t", "expires_in": "soon"}), "when the token ends"),
        (json!({"access_token": "t", "expires_in": 1, "token_type": "pop"}), "another type"),
    ] {
        let trouble = of(reply).unwrap_err();
        assert!(trouble.message().contains(want), "{trouble:?}");
    }
    assert_eq!(seconds(&of(json!({"access_token": "t", "expires_in": -5})).unwrap(), |t| t.ends_at), 0);
}

#[test]
fn the_azure_cli_s_own_clock_is_read_with_care() {
    let now = jiff::Timestamp::now().as_second();
    let mut reply = fixture("azure_cli_token");
    reply["expires_on"] = json!(now + 4000);
    let life = seconds(&Token::from_cli(&reply).unwrap(), |t| t.ends_at);
    assert!((3990..=4000).contains(&life), "{life}");
    reply["expires_on"] = json!((now - 10).to_string());
    assert!(Token::from_cli(&reply).unwrap_err().message().contains("has ended"));
    reply.as_object_mut().unwrap().remove("expires_on");
    reply["expiresOn"] = json!("2999-01-01 10:12:44.000000");
    assert!(Token::from_cli(&reply).is_ok(), "old versions have the local time only");
    reply["expiresOn"] = json!("soon");
    assert!(Token::from_cli(&reply).unwrap_err().message().contains("when the token ends"));
    assert!(Token::from_cli(&json!({})).unwrap_err().message().contains("no `accessToken`"));
}

#[test]
fn claims_are_for_messages_and_never_break_anything() {
    let job = fixture("github_oidc_token");
    assert_eq!(claim(job["value"].as_str().unwrap(), "sub").as_deref(), Some("repo:contoso/claims:environment:prod"));
    for token in ["", "a", "a.b.c", "..", "a.e30.c", "a.bnVsbA.c"] {
        assert_eq!(claim(token, "sub"), None, "{token}");
    }
}

#[test]
fn an_assertion_is_signed_by_the_certificate_s_key_and_names_it() {
    for (signature, alg, check) in [
        (Signature::Rs256, "RS256", &RSA_PKCS1_2048_8192_SHA256 as &dyn VerificationAlgorithm),
        (Signature::Ps256, "PS256", &RSA_PSS_2048_8192_SHA256),
    ] {
        let certificate = Certificate::read(PEM.as_bytes(), signature).unwrap();
        let assertion = certificate.assertion("app", "https://login/t/oauth2/v2.0/token").unwrap();
        let parts: Vec<&str> = assertion.split('.').collect();
        let part = |i: usize| URL_SAFE_NO_PAD.decode(parts[i]).unwrap();
        let head: Value = serde_json::from_slice(&part(0)).unwrap();
        // By `openssl dgst -sha256` over the certificate's DER.
        let thumbprint = "Uebom_s_xGBA3c3Fj5KNOinOBijNuqWlJn6pyY4YyKc";
        assert_eq!(head, json!({"alg": alg, "typ": "JWT", "x5t#S256": thumbprint}));
        let claims: Value = serde_json::from_slice(&part(1)).unwrap();
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("app"), &json!("app")));
        assert_eq!(claims["aud"], "https://login/t/oauth2/v2.0/token");
        let number = |k: &str| claims[k].as_i64().unwrap();
        assert!(number("nbf") < number("iat") && number("exp") - number("nbf") <= 600, "{claims}");
        let public = UnparsedPublicKey::new(check, certificate.public());
        public.verify(format!("{}.{}", parts[0], parts[1]).as_bytes(), &part(2)).unwrap();
        assert!(public.verify(b"something else", &part(2)).is_err());
        let other = certificate.assertion("app", "https://login/t/oauth2/v2.0/token").unwrap();
        assert_ne!(assertion.split('.').nth(1), other.split('.').nth(1), "each has an id of its own");
    }
}

#[test]
fn a_certificate_that_is_no_use_says_why() {
    let (certificate, key) = PEM.split_at(PEM.find("-----BEGIN PRIVATE").unwrap());
    let encrypted = PEM.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let broken = PEM.replace("-----BEGIN PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\nAAAA");
    for (pem, want) in [
        ("", "holds no certificate"),
        (key, "holds no certificate"),
        (certificate, "holds no private key"),
        (&encrypted, "is encrypted"),
        (&broken, "key"),
        ("-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n", "holds no certificate"),
    ] {
        let message = Certificate::read(pem.as_bytes(), Signature::Rs256).err().unwrap();
        assert!(message.contains(want), "{message}");
        assert!(!message.contains("MII"), "{message}");
    }
}

fn token(name: &str, life: u64) -> Result<Token, Trouble> {
    Token::new(name, Duration::from_secs(life), None)
}

/// Asks a cache once, counting the fetches.
async fn ask(cache: &Cache, fetches: &AtomicUsize, reply: impl Fn(usize) -> Result<Token, Trouble>) -> String {
    let fetch = || async {
        // Everybody else comes to wait while the fetch is under way.
        tokio::task::yield_now().await;
        reply(fetches.fetch_add(1, Ordering::SeqCst))
    };
    cache.get(fetch).await.map_or_else(|t| t.message().to_owned(), |t| t.key.expose().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_token_is_fetched_once_and_replaced_ahead_of_its_end() {
    let (cache, fetches) = (Cache::default(), AtomicUsize::new(0));
    let get = || ask(&cache, &fetches, |n| token(&format!("t{n}"), 3600));
    assert_eq!((get().await, get().await), ("t0".into(), "t0".into()));
    tokio::time::advance(Duration::from_secs(3299)).await;
    assert_eq!(get().await, "t0");
    tokio::time::advance(Duration::from_secs(2)).await;
    let (a, b, c) = tokio::join!(get(), get(), get());
    assert_eq!([a, b, c], ["t1", "t1", "t1"], "five minutes ahead, by one request for all");
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_living_token_serves_on_while_the_service_is_down() {
    let (cache, fetches) = (Cache::default(), AtomicUsize::new(0));
    let get = || ask(&cache, &fetches, |n| if n == 0 { token("t0", 3600) } else { Err(Trouble::failed("down")) });
    assert_eq!(get().await, "t0");
    tokio::time::advance(Duration::from_secs(3400)).await;
    assert_eq!((get().await, get().await), ("t0".into(), "t0".into()));
    assert_eq!(fetches.load(Ordering::SeqCst), 2, "a service that is down is left alone for a while");
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(get().await, "t0");
    assert_eq!(fetches.load(Ordering::SeqCst), 3);
    tokio::time::advance(Duration::from_secs(200)).await;
    assert_eq!(get().await, "down", "a token that has ended is never sent");
}

#[tokio::test]
async fn a_failure_is_shared_by_all_who_waited_and_by_nobody_after() {
    let (cache, fetches) = (Cache::default(), AtomicUsize::new(0));
    let get = || ask(&cache, &fetches, |n| if n == 0 { Err(Trouble::failed("no")) } else { token("t", 3600) });
    let (a, b, c) = tokio::join!(get(), get(), get());
    assert_eq!([a, b, c], ["no", "no", "no"]);
    assert_eq!(fetches.load(Ordering::SeqCst), 1, "one wrong secret is sent once");
    assert_eq!(get().await, "t");
}

#[tokio::test]
async fn a_refused_token_is_dropped_once_and_its_successor_stays() {
    let (cache, fetches) = (Cache::default(), AtomicUsize::new(0));
    let fetch = || async { token(&format!("t{}", fetches.fetch_add(1, Ordering::SeqCst)), 3600) };
    let first = cache.get(fetch).await.unwrap();
    cache.refused(&first).await;
    let second = cache.get(fetch).await.unwrap();
    assert_eq!(second.key.expose(), "t1");
    cache.refused(&first).await;
    assert_eq!(
        cache.get(fetch).await.unwrap().key.expose(),
        "t1",
        "the first one's refusal says nothing of the second"
    );
}

#[test]
fn a_secret_goes_to_safe_addresses_only() {
    for (text, near, fine) in [
        ("https://login.microsoftonline.com", false, true),
        ("http://127.0.0.1:4711", false, true),
        ("http://169.254.169.254", true, true),
        ("http://169.254.169.254", false, false),
        ("http://169.254.169.254.example", true, false),
        ("http://login.example", false, false),
        ("https://user:x@login.example", false, false),
        ("ftp://login.example", false, false),
        ("login.example", false, false),
    ] {
        assert_eq!(safe_address(text, near).is_ok(), fine, "{text}");
    }
}
