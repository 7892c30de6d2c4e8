//! Some of the requests of a port, by path and method.

use std::borrow::Cow;

use axum::extract::Request;
use http::Method;

/// Requests that a port serves in another way than the others.
#[derive(Clone, Debug)]
pub struct Requests {
    path: Cow<'static, str>,
    is_prefix: bool,
    reads: bool,
}

impl Requests {
    /// The requests of this path.
    pub const fn at(path: &'static str) -> Self {
        Self { path: Cow::Borrowed(path), is_prefix: false, reads: false }
    }

    /// The requests whose paths begin with this prefix.
    pub fn below(prefix: impl Into<Cow<'static, str>>) -> Self {
        Self { path: prefix.into(), is_prefix: true, reads: false }
    }

    /// Of these, the requests that only read: `GET` and `HEAD`.
    pub fn that_read(self) -> Self {
        Self { reads: true, ..self }
    }

    fn contain(&self, request: &Request) -> bool {
        let path = request.uri().path();
        let is_there =
            if self.is_prefix { path.starts_with(&*self.path) } else { path == self.path };
        is_there && (!self.reads || matches!(*request.method(), Method::GET | Method::HEAD))
    }
}

/// Whether the request is one of these.
pub(super) fn is_one_of(request: &Request, requests: &[Requests]) -> bool {
    requests.iter().any(|some| some.contain(request))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn requests_are_chosen_by_their_path_and_by_whether_they_read() {
        let chosen = [Requests::at("/"), Requests::below("/lens/").that_read()];
        for (method, path, expected) in [
            ("GET", "/", true),
            ("POST", "/?a=/lens/", true),
            ("GET", "/api", false),
            ("HEAD", "/lens/v1/flows?limit=1", true),
            ("POST", "/lens/v1/flows", false),
            ("GET", "/lens", false),
        ] {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            assert_eq!(is_one_of(&request, &chosen), expected, "{method} {path}");
        }
    }
}
