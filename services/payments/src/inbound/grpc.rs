//! gRPC `mesh.payments.v1.Payments` → the ledger.

use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use proto::{
    limits,
    payments::v1::{
        ListPaymentsRequest, Payment as Listed,
        payment::State as ListedState,
        payments_server::{Payments, PaymentsServer},
    },
    types::v1::Money,
};
use tonic::{Request, Response, Status, service::Routes};

use crate::{
    domain::{Payment, State},
    store::Store,
};

/// Reads the ledger.
pub(crate) struct Ledger {
    store: Store,
}

impl Ledger {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }
}

pub(crate) fn routes(store: Store) -> Routes {
    let server = PaymentsServer::new(Ledger::new(store));
    Routes::new(server.max_decoding_message_size(limits::REQUEST_BYTES))
}

#[tonic::async_trait]
impl Payments for Ledger {
    type ListPaymentsStream = BoxStream<'static, Result<Listed, Status>>;

    async fn list_payments(
        &self,
        _: Request<ListPaymentsRequest>,
    ) -> Result<Response<Self::ListPaymentsStream>, Status> {
        let store = self.store.clone();
        // A page when it is asked for: the ledger may be larger than the memory.
        let pages = stream::try_unfold(Some(String::new()), move |after| {
            let store = store.clone();
            async move {
                let Some(after) = after else { return Ok(None) };
                let page = store.page(&after).await.map_err(chassis::Error::from)?;
                let last = page.last().map(|payment| payment.order.clone());
                Ok::<_, Status>(Some((stream::iter(page).map(|payment| Ok(payment.into())), last)))
            }
        });
        Ok(Response::new(pages.try_flatten().boxed()))
    }
}

impl From<Payment> for Listed {
    fn from(Payment { order, amount, state, .. }: Payment) -> Self {
        let state = match state {
            State::Authorized { .. } => ListedState::Authorized,
            State::Declined { .. } => ListedState::Declined,
            State::Failed => ListedState::Failed,
            State::Refunded { .. } => ListedState::Refunded,
            State::Void => ListedState::Unspecified,
        };
        let amount = Money { currency: amount.currency, amount_minor: amount.minor };
        Self { order_id: order, state: state.into(), amount: Some(amount) }
    }
}
