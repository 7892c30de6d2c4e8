//! gRPC `mesh.payments.v1.Payments` → the ledger.

use chassis::grpc::Services;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use proto::{
    limits,
    payments::v1::{
        Charge, ListChargesRequest, ListPaymentsRequest, Payment as Listed,
        charges_server::{Charges, ChargesServer},
        payment::State as ListedState,
        payments_server::{Payments, PaymentsServer},
    },
    types::v1::Money,
};
use tonic::{Request, Response, Status};

use crate::{
    domain::{Payment, State},
    outbound::{Entry, Provider},
    store::Store,
};

/// Serves our ledger.
pub(crate) struct Ledger {
    store: Store,
}

impl Ledger {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }
}

pub(crate) fn routes(store: Store, provider: Provider) -> Services {
    let payments = PaymentsServer::new(Ledger::new(store));
    let charges = ChargesServer::new(ThirdParty::new(provider));
    Services::new(payments.max_decoding_message_size(limits::REQUEST_BYTES))
        .with(charges.max_decoding_message_size(limits::REQUEST_BYTES))
}

#[tonic::async_trait]
impl Payments for Ledger {
    type ListPaymentsStream = BoxStream<'static, Result<Listed, Status>>;

    async fn list_payments(
        &self,
        _: Request<ListPaymentsRequest>,
    ) -> Result<Response<Self::ListPaymentsStream>, Status> {
        let store = self.store.clone();
        // Each page is read when the client asks for more: the ledger may be larger than memory.
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

/// Serves the third party's ledger.
pub(crate) struct ThirdParty {
    provider: Provider,
}

impl ThirdParty {
    pub(crate) fn new(provider: Provider) -> Self {
        Self { provider }
    }
}

#[tonic::async_trait]
impl Charges for ThirdParty {
    type ListChargesStream = BoxStream<'static, Result<Charge, Status>>;

    async fn list_charges(
        &self,
        _: Request<ListChargesRequest>,
    ) -> Result<Response<Self::ListChargesStream>, Status> {
        let provider = self.provider.clone();
        let pages = stream::try_unfold(Some(0), move |after| {
            let provider = provider.clone();
            async move {
                let Some(after) = after else { return Ok(None) };
                let page = provider.ledger(after).await?;
                // A page that does not advance would make the stream endless.
                let last = page.last().map(|entry| entry.number).filter(|last| *last > after);
                Ok::<_, Status>(Some((stream::iter(page).map(|entry| Ok(entry.into())), last)))
            }
        });
        Ok(Response::new(pages.try_flatten().boxed()))
    }
}

impl From<Entry> for Charge {
    fn from(entry: Entry) -> Self {
        let Entry { reference, charge_id, amount, currency, refunded, .. } = entry;
        let amount = Some(Money { currency, amount_minor: amount });
        Self { charge_id, order_id: reference, amount, refunded }
    }
}

impl From<Payment> for Listed {
    fn from(Payment { order, amount, state, .. }: Payment) -> Self {
        let state = match state {
            State::Authorized { .. } => ListedState::Authorized,
            State::Declined { .. } => ListedState::Declined,
            State::Asking { .. } | State::Unknown { .. } => ListedState::Unknown,
            State::Failed => ListedState::Failed,
            State::Refunded { .. } => ListedState::Refunded,
            State::Void => ListedState::Unspecified,
        };
        let amount = Money { currency: amount.currency, amount_minor: amount.minor };
        Self { order_id: order, state: state.into(), amount: Some(amount) }
    }
}
