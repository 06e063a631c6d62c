//! WHIP and WHEP over plain HTTP, on a thread of its own so that no request holds the media up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use mio::Waker;

/// A session to be opened.
#[derive(Debug)]
pub(crate) struct Request {
    /// Whose it is; repeated in the outcome.
    pub(crate) peer: usize,
    /// WHIP or WHEP endpoint.
    pub(crate) url: String,
    /// SDP offer.
    pub(crate) offer: String,
}

/// A session was opened, or why not.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Whose.
    pub(crate) peer: usize,
    /// The SDP answer.
    pub(crate) answer: Result<String, String>,
}

/// The signalling thread. Dropping it deletes every session that was opened, unless told to forget.
pub(crate) struct Signalling {
    requests: Option<Sender<Request>>,
    forgets: Arc<AtomicBool>,
    outcomes: Receiver<Outcome>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Signalling {
    /// Start it. `waker` is called for each outcome; `token` is the bearer token, where one is needed.
    pub(crate) fn start(waker: Waker, token: Option<String>) -> Self {
        let (requests, inbox) = channel();
        let (outbox, outcomes) = channel();
        let forgets = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&forgets);
        let thread = thread::spawn(move || {
            let opened = serve(&inbox, &outbox, &waker, token.as_deref());
            if !told.load(Ordering::Relaxed) {
                delete(&opened, token.as_deref());
            }
        });
        Self {
            requests: Some(requests),
            forgets,
            outcomes,
            thread: Some(thread),
        }
    }

    /// Open a session; the outcome comes later.
    pub(crate) fn open(&self, request: Request) {
        if let Some(requests) = &self.requests {
            // The thread ends only when this sender is dropped.
            let _ = requests.send(request);
        }
    }

    /// Sessions stay as they are when this is dropped.
    pub(crate) fn forget(&self) {
        self.forgets.store(true, Ordering::Relaxed);
    }

    /// The next outcome, if there is one.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcomes.try_recv().ok()
    }
}

impl Drop for Signalling {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Opens sessions until nobody wants more; their URLs.
fn serve(
    inbox: &Receiver<Request>,
    outbox: &Sender<Outcome>,
    waker: &Waker,
    token: Option<&str>,
) -> Vec<String> {
    let agent = agent();
    let mut opened = Vec::new();
    for request in inbox {
        let answer = admitted(&agent, &request, token).map(|(answer, location)| {
            opened.extend(location);
            answer
        });
        let _ = outbox.send(Outcome {
            peer: request.peer,
            answer,
        });
        let _ = waker.wake();
    }
    opened
}

fn delete(sessions: &[String], token: Option<&str>) {
    let agent = agent();
    for location in sessions {
        let call = agent.delete(location);
        // The run is over and its result printed: a refused goodbye changes nothing.
        let _ = match token {
            Some(token) => call
                .header("Authorization", format!("Bearer {token}"))
                .call(),
            None => call.call(),
        };
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::new_with_config(
        ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .proxy(None)
            .build(),
    )
}

/// As [`post`]; a server that has too much to do for the moment is asked again.
fn admitted(
    agent: &ureq::Agent,
    request: &Request,
    token: Option<&str>,
) -> Result<(String, Option<String>), String> {
    for _ in 0..TRIES {
        match post(agent, request, token) {
            Err(ureq::Error::StatusCode(503)) => thread::sleep(PAUSE),
            other => {
                return other.map_err(|error| format!("POST {}: {error}", request.url));
            }
        }
    }
    Err(format!(
        "POST {}: overloaded for {TRIES} tries",
        request.url
    ))
}

/// The answer and the absolute URL of the session.
fn post(
    agent: &ureq::Agent,
    request: &Request,
    token: Option<&str>,
) -> Result<(String, Option<String>), ureq::Error> {
    let mut call = agent
        .post(&request.url)
        .header("Content-Type", "application/sdp");
    if let Some(token) = token {
        call = call.header("Authorization", format!("Bearer {token}"));
    }
    let mut response = call.send(&request.offer)?;
    let location = response
        .headers()
        .get("location")
        .and_then(|value| value.to_str().ok());
    let location = location.map(|location| absolute(&request.url, location));
    let answer = response.body_mut().read_to_string()?;
    Ok((answer, location))
}

/// Resolve a `Location` header: absolute, or a path on the same origin.
fn absolute(base: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let origin = base
        .match_indices('/')
        .nth(2)
        .map_or(base, |(slash, _)| &base[..slash]);
    format!("{origin}/{}", location.trim_start_matches('/'))
}

const TIMEOUT: Duration = Duration::from_secs(15);
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn a_location_is_resolved_against_its_request() {
        let base = "http://127.0.0.1:8443/whep/room";
        assert_eq!(
            absolute(base, "/whep/room/abc"),
            "http://127.0.0.1:8443/whep/room/abc"
        );
        assert_eq!(absolute(base, "http://other/abc"), "http://other/abc");
    }
}
