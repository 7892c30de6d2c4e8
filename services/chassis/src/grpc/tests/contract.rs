//! A gRPC contract for the tests, in the form that generated code has: one method that answers with a stream.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{Stream, future::BoxFuture};
use tonic::{
    Request, Response, Status,
    body::Body,
    client::GrpcService,
    codegen::{Body as HttpBody, Bytes, StdError},
    server::{Grpc, NamedService, ServerStreamingService},
};
use tonic_prost::ProstCodec;
use tower::Service;

use crate::{Error, Kind};

pub(super) const NAME: &str = "mesh.payments.v1.Payments";
const LIST_PAYMENTS: &str = "/mesh.payments.v1.Payments/ListPayments";

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct ListPaymentsRequest {}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Payment {
    #[prost(string, tag = "1")]
    pub(super) order_id: String,
    #[prost(int64, tag = "2")]
    pub(super) budget_ms: i64,
}

#[tonic::async_trait]
pub(super) trait Payments: Send + Sync + 'static {
    type ListPaymentsStream: Stream<Item = Result<Payment, Status>> + Send + 'static;

    async fn list_payments(
        &self,
        request: Request<ListPaymentsRequest>,
    ) -> Result<Response<Self::ListPaymentsStream>, Status>;
}

pub(super) struct PaymentsServer<T>(Arc<T>);

impl<T> PaymentsServer<T> {
    pub(super) fn new(inner: T) -> Self {
        Self(Arc::new(inner))
    }
}

impl<T> Clone for PaymentsServer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> NamedService for PaymentsServer<T> {
    const NAME: &'static str = NAME;
}

impl<T: Payments> ServerStreamingService<ListPaymentsRequest> for PaymentsServer<T> {
    type Response = Payment;
    type ResponseStream = T::ListPaymentsStream;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<ListPaymentsRequest>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.list_payments(request).await })
    }
}

impl<T, B> Service<http::Request<B>> for PaymentsServer<T>
where
    T: Payments,
    B: HttpBody + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        assert_eq!(request.uri().path(), LIST_PAYMENTS);
        let method = self.clone();
        Box::pin(async move {
            Ok(Grpc::new(ProstCodec::default()).server_streaming(method, request).await)
        })
    }
}

pub(super) struct PaymentsClient<T>(tonic::client::Grpc<T>);

impl<T> PaymentsClient<T>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    pub(super) fn new(inner: T) -> Self {
        Self(tonic::client::Grpc::new(inner))
    }

    pub(super) async fn list_payments(
        &mut self,
        request: impl tonic::IntoRequest<ListPaymentsRequest>,
    ) -> Result<Response<tonic::Streaming<Payment>>, Status> {
        let ready = self.0.ready().await;
        ready.map_err(|error| Error::new(Kind::Unavailable, error.into().to_string()))?;
        let path = http::uri::PathAndQuery::from_static(LIST_PAYMENTS);
        let codec = ProstCodec::default();
        self.0.server_streaming(request.into_request(), path, codec).await
    }
}
