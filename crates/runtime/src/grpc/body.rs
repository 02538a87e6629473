//! Bodies of responses: their end when the server shuts down, and broken connections.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{FutureExt, future::BoxFuture};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::watch;
use tonic::{Status, body::Body, codegen::Bytes};

/// Whether the server is shutting down.
pub(crate) type Drain = watch::Receiver<bool>;

/// Resolves when the server shuts down, also if the sender was dropped.
pub(crate) async fn drained(mut drain: Drain) {
    let _ = drain.wait_for(|drain| *drain).await;
}

/// A response that ends when the server shuts down. Otherwise a stream that waits for changes would never end, and the
/// server would wait for it. Data that is ready is still sent.
pub(crate) struct Ending {
    inner: Body,
    drained: BoxFuture<'static, ()>,
    ended: bool,
}

impl Ending {
    pub(crate) fn new(inner: Body, drain: Drain) -> Self {
        Self {
            inner,
            drained: drained(drain).boxed(),
            ended: false,
        }
    }
}

impl HttpBody for Ending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            return Poll::Ready(frame);
        }
        ready!(self.drained.as_mut().poll(context));
        self.ended = true;
        let mut trailers = http::HeaderMap::new();
        let added = Status::unavailable("the server is shutting down").add_header(&mut trailers);
        Poll::Ready(Some(added.map(|()| Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A response whose connection may break: the error is then `UNAVAILABLE`, as before the response began.
pub(crate) struct Breaking(pub(crate) Body);

impl HttpBody for Breaking {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(context));
        Poll::Ready(frame.map(|frame| frame.map_err(|error| broken(&error))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// The status of a broken connection. tonic has several codes for it (`Unknown`, `Cancelled`, `Internal`), depending on
/// how it broke; callers only need to know that there was no response.
pub(crate) fn broken(error: &(dyn Error + 'static)) -> Status {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    Status::unavailable(words)
}
