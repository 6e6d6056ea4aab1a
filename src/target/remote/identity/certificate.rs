//! A client certificate: the signed assertion that stands for a secret (RFC 7523; `x5t#S256` of RFC 7515 section 4.1.8).

use super::spec::Signature;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

/// How long an assertion holds, seconds: Entra takes at most ten minutes.
const LIFE: i64 = 300;
/// How far this machine's clock may be ahead of Entra's, seconds.
const SKEW: i64 = 60;

/// A certificate's fingerprint and its key.
pub(super) struct Certificate {
    key: RsaKeyPair,
    thumbprint: String,
    signature: Signature,
}

impl Certificate {
    /// Reads the first certificate and the key of a PEM file.
    pub(super) fn read(pem: &[u8], signature: Signature) -> Result<Self, String> {
        let certificate = CertificateDer::pem_slice_iter(pem)
            .next()
            .and_then(Result::ok)
            .ok_or("it holds no certificate; write certificate and key into one PEM file")?;
        if String::from_utf8_lossy(pem).contains("ENCRYPTED") {
            return Err("its key is encrypted; store it in the clear where only this job can read it".to_owned());
        }
        let key = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|_| "it holds no private key; write certificate and key into one PEM file")?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err("its key is no RSA key, which Entra asks for".to_owned()),
        };
        let key = key.map_err(|e| format!("its key cannot sign ({e}); Entra takes RSA keys of 2048 bits and more"))?;
        Ok(Self { key, thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate)), signature })
    }

    /// The public key, by which a test checks what was signed.
    #[cfg(test)]
    pub(super) fn public(&self) -> &[u8] {
        self.key.public().as_ref()
    }

    /// A fresh assertion by which `client` identifies itself at `audience`.
    pub(super) fn assertion(&self, client: &str, audience: &str) -> Result<String, String> {
        let random = SystemRandom::new();
        let mut id = [0; 16];
        random.fill(&mut id).map_err(|_| "this machine gives no random numbers")?;
        let now = jiff::Timestamp::now().as_second();
        let alg = match self.signature {
            Signature::Rs256 => "RS256",
            Signature::Ps256 => "PS256",
        };
        let head = serde_json::json!({"alg": alg, "typ": "JWT", "x5t#S256": self.thumbprint});
        let claims = serde_json::json!({
            "aud": audience, "iss": client, "sub": client, "jti": URL_SAFE_NO_PAD.encode(id),
            "iat": now, "nbf": now - SKEW, "exp": now + LIFE,
        });
        let part = |v: serde_json::Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let signed = format!("{}.{}", part(head), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        let padding: &dyn ring::signature::RsaEncoding = match self.signature {
            Signature::Rs256 => &RSA_PKCS1_SHA256,
            Signature::Ps256 => &RSA_PSS_SHA256,
        };
        self.key
            .sign(padding, &random, signed.as_bytes(), &mut signature)
            .map_err(|_| "the certificate's key cannot sign")?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
