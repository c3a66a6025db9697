//! One question to a server: redirects, passwords, certificates, proxies.
//!
//! A password goes to the host that it is meant for and to no other, whatever a server answers.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy, ProxyProtocol, Timeout};
use url::{Host, Url};

use crate::address::{WebAddress, without_userinfo};
use crate::credentials::{Credentials, Netrc, Secret, is_this_machine};
use crate::options::{FetchOptions, Trust};
use crate::problem::Problem;

/// How often a server may lead to another place.
const REDIRECTS_MAX: usize = 5;

/// The longest head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;

type Answer = ureq::http::Response<Body>;

/// What is asked of a server.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The place.
    pub(crate) address: WebAddress,
    /// The kinds of documents that are understood; nothing for files.
    pub(crate) accept: Option<&'static str>,
    /// The most that is taken.
    pub(crate) bytes_max: u64,
    /// What is there already.
    pub(crate) resume: Option<Resume>,
}

/// The beginning of a file that is there already.
#[derive(Clone, Debug)]
pub(crate) struct Resume {
    /// How much.
    pub(crate) offset: u64,
    /// What the server said that the file is known by, when the beginning came from it.
    pub(crate) validator: Option<String>,
}

/// The agents of a fetcher, made when they are needed.
pub(crate) struct Web {
    options: FetchOptions,
    plain: OnceLock<Result<Agent, Problem>>,
    secured: OnceLock<Result<Agent, Problem>>,
    netrc: OnceLock<Netrc>,
    /// Whether nothing is asked any more.
    has_ended: Mutex<bool>,
}

impl Web {
    pub(crate) fn new(options: FetchOptions) -> Self {
        Self {
            options,
            plain: OnceLock::new(),
            secured: OnceLock::new(),
            netrc: OnceLock::new(),
            has_ended: Mutex::new(false),
        }
    }

    pub(crate) fn options(&self) -> &FetchOptions {
        &self.options
    }

    /// Ends all connections, and every question from here on.
    pub(crate) fn end(&self) {
        *self
            .has_ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        let made = [self.plain.get(), self.secured.get()].into_iter();
        for agent in made.flatten().flatten() {
            agent.clone().shutdown();
        }
    }

    /// Asks, and follows where the answer leads. The answer has status 200, 206 or 416.
    pub(crate) fn ask(&self, question: &Question) -> Result<Answer, Problem> {
        let address = &question.address;
        let mut url = address.url().clone();
        // Once it was led elsewhere, nobody is told who asks, not even the host it began with.
        let mut is_first_host = true;
        for _ in 0..=REDIRECTS_MAX {
            let credentials = self.credentials(address, &url).filter(|_| is_first_host);
            let answer = self.ask_once(&url, question, credentials)?;
            let status = answer.status().as_u16();
            match status {
                200 | 206 | 416 => return Ok(answer),
                301 | 302 | 303 | 307 | 308 => {}
                401 | 403 | 407 => return Err(Problem::Refused { status }),
                404 | 410 => return Err(Problem::Gone { status }),
                _ => {
                    let seconds = header(&answer, "retry-after").and_then(|it| it.parse().ok());
                    let wait = seconds.map(Duration::from_secs);
                    return Err(Problem::Status { status, wait });
                }
            }
            let location = header(&answer, "location").ok_or_else(|| Problem::Protocol {
                reason: format!("status {status} without a place"),
            })?;
            let next = follow(&url, &location)?;
            is_first_host &= next.origin() == url.origin();
            url = next;
        }
        Err(Problem::Redirect {
            to: shown(&url),
            reason: "it was led on too often",
        })
    }

    /// Who asks at the place that an address names.
    pub(crate) fn credentials_for<'a>(
        &'a self,
        address: &'a WebAddress,
    ) -> Option<&'a Credentials> {
        self.credentials(address, address.url())
    }

    fn credentials<'a>(&'a self, address: &'a WebAddress, url: &Url) -> Option<&'a Credentials> {
        address.credentials().or_else(|| {
            let netrc = self.netrc.get_or_init(|| {
                let path = self.options.netrc.as_deref();
                path.map(Netrc::read).unwrap_or_default()
            });
            netrc.for_url(url)
        })
    }

    fn ask_once(
        &self,
        url: &Url,
        question: &Question,
        credentials: Option<&Credentials>,
    ) -> Result<Answer, Problem> {
        let agent = self.agent(url.scheme())?;
        // What is asked for by its bytes is not to be changed on the way.
        let mut request = agent
            .get(url.as_str())
            .header("accept-encoding", "identity");
        if let Some(accept) = question.accept {
            request = request.header("accept", accept);
        }
        if let Some(credentials) = credentials {
            request = request.header("authorization", credentials.basic());
        }
        if let Some(resume) = &question.resume {
            request = request.header("range", format!("bytes={}-", resume.offset));
            if let Some(validator) = &resume.validator {
                request = request.header("if-range", validator);
            }
        }
        request.call().map_err(problem_of)
    }

    fn agent(&self, scheme: &str) -> Result<&Agent, Problem> {
        let agent = match scheme {
            "https" => self.secured.get_or_init(|| self.make_secured()),
            _ => self.plain.get_or_init(|| self.make_plain()),
        };
        if *self
            .has_ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
        {
            return Err(Problem::Connection {
                reason: "called off".to_owned(),
            });
        }
        agent.as_ref().map_err(Problem::clone)
    }

    fn make_plain(&self) -> Result<Agent, Problem> {
        let proxy = self.proxy(self.options.proxies.http.as_ref())?;
        let needs_tls = proxy
            .as_ref()
            .is_some_and(|proxy| proxy.protocol() == ProxyProtocol::Https);
        let tls = if needs_tls {
            tls_of(&self.options.trust)?
        } else {
            TlsConfig::builder().root_certs(RootCerts::from([])).build()
        };
        Ok(self.make_agent(proxy, tls))
    }

    fn make_secured(&self) -> Result<Agent, Problem> {
        let proxy = self.proxy(self.options.proxies.https.as_ref())?;
        Ok(self.make_agent(proxy, tls_of(&self.options.trust)?))
    }

    fn make_agent(&self, proxy: Option<Proxy>, tls: TlsConfig) -> Agent {
        let limits = &self.options.limits;
        Agent::config_builder()
            .http_status_as_error(false)
            // Followed here, where it is decided who is told what.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .tls_config(tls)
            .user_agent(concat!("stxl/", env!("CARGO_PKG_VERSION")))
            .max_response_header_size(HEAD_BYTES_MAX)
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_send_request(Some(limits.answer))
            .timeout_recv_response(Some(limits.answer))
            .timeout_per_read(Some(limits.stall))
            .timeout_per_write(Some(limits.stall))
            .build()
            .new_agent()
    }

    fn proxy(&self, text: Option<&Secret>) -> Result<Option<Proxy>, Problem> {
        let Some(text) = text else {
            return Ok(None);
        };
        let wrong = || Problem::Protocol {
            reason: "the proxy's address cannot be read".to_owned(),
        };
        let told = Proxy::new(text.reveal()).map_err(|_| wrong())?;
        if !matches!(told.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) {
            return Err(Problem::Protocol {
                reason: "a proxy begins with http:// or https://".to_owned(),
            });
        }
        let mut builder = Proxy::builder(told.protocol())
            .host(told.host())
            .port(told.port());
        if let Some(user) = told.username() {
            builder = builder.username(user);
        }
        if let Some(password) = told.password() {
            builder = builder.password(password);
        }
        for host in &self.options.proxies.none_for {
            builder = builder.no_proxy(host);
        }
        builder.build().map(Some).map_err(|_| wrong())
    }
}

/// A header of an answer, if it is text.
pub(crate) fn header(answer: &Answer, name: &str) -> Option<String> {
    let value = answer.headers().get(name)?.to_str().ok()?;
    Some(value.trim().to_owned())
}

/// Where a redirect leads, unless that is where we do not go.
fn follow(from: &Url, location: &str) -> Result<Url, Problem> {
    let refused = |to: String, reason| Problem::Redirect { to, reason };
    let joined = from
        .join(location)
        .map_err(|_| refused("a place that is no address".to_owned(), "it cannot be read"))?;
    // What it may say about who asks is dropped: a server does not choose that.
    let to =
        WebAddress::of_url(joined.clone()).map_err(|reason| refused(shown(&joined), reason))?;
    let url = to.url().clone();
    if from.scheme() == "https" && url.scheme() != "https" {
        return Err(refused(
            shown(&url),
            "from https:// it leads only to https://",
        ));
    }
    if is_link_local(&url) || (is_this_machine(&url) && !is_this_machine(from)) {
        return Err(refused(
            shown(&url),
            "nobody outside leads to this machine or its link",
        ));
    }
    Ok(url)
}

fn is_link_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local(),
        Some(Host::Ipv6(address)) => {
            address.is_unicast_link_local()
                || address
                    .to_ipv4_mapped()
                    .is_some_and(|it| it.is_link_local())
        }
        Some(Host::Domain(_)) | None => false,
    }
}

/// A place that a server named, without what may be secret in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    without_userinfo(url.as_str())
}

/// The certificates that are believed, as they are chosen or as the machine has them.
fn tls_of(trust: &Trust) -> Result<TlsConfig, Problem> {
    let untrusted = |reason: String| Problem::Untrusted { reason };
    let found = if trust.file.is_some() || trust.directory.is_some() {
        rustls_native_certs::load_certs_from_paths(
            trust.file.as_deref(),
            trust.directory.as_deref(),
        )
    } else {
        rustls_native_certs::load_native_certs()
    };
    if found.certs.is_empty() {
        let why = found.errors.first().map(ToString::to_string);
        let why = why.unwrap_or_else(|| "none is installed".to_owned());
        return Err(untrusted(format!(
            "this machine has no certificates of authorities: {why}"
        )));
    }
    let certificates = found.certs.iter();
    let roots = certificates.map(|certificate| Certificate::from_der(certificate).to_owned());
    let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(provider)
        .build())
}

/// What an error on the way to an answer means.
pub(crate) fn problem_of(error: ureq::Error) -> Problem {
    let connection = |reason: String| Problem::Connection { reason };
    match error {
        ureq::Error::Io(error) => problem_of_io(&error),
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            connection("nobody answers in time".to_owned())
        }
        ureq::Error::Timeout(_) => connection("the server does not answer in time".to_owned()),
        ureq::Error::HostNotFound => Problem::NoHost {
            reason: "it has no address".to_owned(),
        },
        ureq::Error::ConnectionFailed => connection("it was refused".to_owned()),
        ureq::Error::ConnectProxyFailed(reason) => connection(reason),
        ureq::Error::Rustls(error) => problem_of_tls(&error),
        ureq::Error::Tls(reason) => Problem::Untrusted {
            reason: reason.to_owned(),
        },
        other => Problem::Protocol {
            reason: without_userinfo(&other.to_string()),
        },
    }
}

/// What an error of a connection means.
pub(crate) fn problem_of_io(error: &io::Error) -> Problem {
    let inner = error.get_ref();
    if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return problem_of_tls(tls);
    }
    if let Some(inner) = inner.and_then(|inner| inner.downcast_ref::<ureq::Error>())
        && !matches!(inner, ureq::Error::Io(_))
    {
        return Problem::Protocol {
            reason: without_userinfo(&inner.to_string()),
        };
    }
    let reason = without_userinfo(&error.to_string());
    // Names are looked up by the C library; what it says for a while is another sentence.
    match reason.strip_prefix("failed to lookup address information: ") {
        Some(said) if !said.starts_with("Temporary") => Problem::NoHost {
            reason: said.to_owned(),
        },
        _ => Problem::Connection { reason },
    }
}

fn problem_of_tls(error: &rustls::Error) -> Problem {
    Problem::Untrusted {
        reason: error.to_string(),
    }
}
