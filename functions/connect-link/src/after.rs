//! Work after the first response: Lambda sends a response on when it is posted to the Runtime API, and freezes the function
//! when the next event is asked for (Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes", "Lambda
//! execution environment lifecycle"). What is done between the two delays nobody but a request that comes meanwhile.

use std::{
    cell::Cell,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use lambda_runtime::{Service, tower::Layer};

/// Does some work after the first response, before the next event is asked for.
pub struct AfterFirst<'a, W> {
    work: Cell<Option<W>>,
    lives: PhantomData<&'a ()>,
}

impl<W> AfterFirst<'_, W> {
    /// This work.
    pub const fn new(work: W) -> Self {
        Self { work: Cell::new(Some(work)), lives: PhantomData }
    }
}

impl<'a, W, S> Layer<S> for AfterFirst<'a, W> {
    type Service = Responding<'a, W, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Responding { work: self.work.take(), inner, lives: PhantomData }
    }
}

/// A service that works on after its first response.
pub struct Responding<'a, W, S> {
    work: Option<W>,
    inner: S,
    /// For as long as what the work borrows.
    lives: PhantomData<&'a ()>,
}

impl<'a, R, W, S> Service<R> for Responding<'a, W, S>
where
    W: Future<Output = ()> + 'a,
    S: Service<R>,
    S::Future: 'a,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + 'a>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let (responding, work) = (self.inner.call(request), self.work.take());
        Box::pin(async move {
            let responded = responding.await;
            if let Some(work) = work {
                work.await;
            }
            responded
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, convert::Infallible};

    use lambda_runtime::service_fn;

    use super::*;

    #[tokio::test]
    async fn the_work_is_done_once_after_the_first_response() {
        let done = RefCell::new(Vec::new());
        let responding = service_fn(async |number: u8| {
            done.borrow_mut().push(number);
            Ok::<_, Infallible>(())
        });
        let mut service = AfterFirst::new(async { done.borrow_mut().push(99) }).layer(responding);
        for number in 1..=3 {
            service.call(number).await.unwrap();
        }
        drop(service);
        assert_eq!(done.into_inner(), [1, 99, 2, 3]);
    }
}
