//! Servers behind TLS: who they are is always made sure of, although the hash is locked.

use std::fs;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
    date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use stxl_model::Sha256;
use stxl_tests::server::{Server, Wrap, content};

use super::place::{Place, WHOLE};

/// An authority that a test made.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Of what kind a server's certificate is.
#[derive(Clone, Copy)]
enum Certificate {
    Good,
    OfAnotherHost,
    Over,
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key")
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, key()).expect("an authority"))
    }

    fn wrap(&self, certificate: Certificate) -> Box<Wrap> {
        let name = match certificate {
            Certificate::Good | Certificate::Over => "localhost",
            Certificate::OfAnotherHost => "other.example",
        };
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        if let Certificate::Over = certificate {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let own = key();
        let signed = params.signed_by(&own, &self.0).expect("a certificate");
        let secret = PrivatePkcs8KeyDer::from(own.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocols")
            .with_no_client_auth()
            .with_single_cert(vec![signed.der().clone()], PrivateKeyDer::from(secret))
            .expect("a server's configuration");
        let config = Arc::new(config);
        Box::new(move |stream| {
            let connection =
                ServerConnection::new(Arc::clone(&config)).map_err(std::io::Error::other)?;
            Ok(Box::new(StreamOwned::new(connection, stream)))
        })
    }
}

fn trusting(authority: &Authority) -> Place {
    let mut place = Place::new();
    let file = place.path("authorities");
    fs::write(&file, authority.0.pem()).expect("a file of certificates");
    place.options.trust.file = Some(file);
    place
}

#[test]
fn a_server_is_who_it_says_or_nothing_comes() {
    let content = content(200_000);
    let lock = Some(Sha256::of(&content));
    let authority = Authority::new();
    let stranger = Authority::new();
    let cases = [
        (&authority, Certificate::Good, true),
        (&authority, Certificate::OfAnotherHost, false),
        (&authority, Certificate::Over, false),
        (&stranger, Certificate::Good, false),
    ];
    for (number, (signer, certificate, is_good)) in cases.into_iter().enumerate() {
        let server = Server::start_with(&content, &[WHOLE], signer.wrap(certificate));
        let place = trusting(&authority);
        let came = place.fetch(&format!("https://localhost:{}/f", server.port()), lock);
        assert_eq!(
            came.result.is_ok(),
            is_good,
            "case {number}: {:?}",
            came.result
        );
        if is_good {
            assert_eq!(came.bytes, content);
        } else {
            assert!(
                came.complaint().contains("is not trusted"),
                "{}",
                came.complaint()
            );
            assert!(server.requests().is_empty() && came.bytes.is_empty());
        }
    }
}

#[test]
fn from_a_secured_server_nothing_leads_to_another_kind() {
    let content = content(1000);
    let lock = Some(Sha256::of(&content));
    let authority = Authority::new();
    let plain = Server::start(&content, &[WHOLE]);
    let secured = Server::start_with(&content, &[WHOLE], authority.wrap(Certificate::Good));
    for (to, is_followed) in [
        (format!("http://localhost:{}/f", plain.port()), false),
        (format!("https://localhost:{}/f", secured.port()), true),
    ] {
        let reply = format!("HTTP/1.1 301 Moved\nLocation: {to}\nContent-Length: 0");
        let leading = Server::start_with(&content, &[&reply], authority.wrap(Certificate::Good));
        let place = trusting(&authority);
        let came = place.fetch(&format!("https://localhost:{}/f", leading.port()), lock);
        assert_eq!(came.result.is_ok(), is_followed, "{to}: {:?}", came.result);
    }
    assert!(plain.requests().is_empty());
}

#[test]
fn a_file_of_certificates_that_has_none_is_said_to() {
    let content = content(1000);
    let mut place = Place::new();
    let file = place.path("authorities");
    fs::write(&file, "nothing").expect("a file");
    place.options.trust.file = Some(file);
    let came = place.fetch("https://localhost:1/f", Some(Sha256::of(&content)));
    assert!(came.complaint().contains("no certificates of authorities"));
}
