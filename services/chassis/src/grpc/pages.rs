//! A response that streams a list which may be larger than memory.

use std::future::Future;

use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use tonic::Status;

use crate::Error;

/// Streams a list page by page, and reads a page when the client has taken the previous one.
///
/// `read` returns the page after a key, the first page for `None`, and an empty page after the last. `key` is the key of an
/// entry; keys ascend.
pub fn pages<Entry, Message, Key, Failure, Page>(
    read: impl Fn(Option<Key>) -> Page + Send + 'static,
    key: fn(&Entry) -> Key,
) -> BoxStream<'static, Result<Message, Status>>
where
    Entry: Into<Message> + Send + 'static,
    Message: Send + 'static,
    Key: Clone + PartialOrd + Send + 'static,
    Failure: Into<Error>,
    Page: Future<Output = Result<Vec<Entry>, Failure>> + Send,
{
    let pages = stream::try_unfold((None, read), move |(after, read)| async move {
        let page = read(after.clone()).await.map_err(|failure| Status::from(failure.into()))?;
        // A page that does not advance would make the stream endless.
        let last = page.last().map(key).filter(|last| after.is_none_or(|after| after < *last));
        let Some(last) = last else { return Ok(None) };
        let messages = stream::iter(page).map(|entry| Ok(entry.into()));
        Ok::<_, Status>(Some((messages, (Some(last), read))))
    });
    pages.try_flatten().boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    async fn read(
        source: impl Fn(u32) -> Result<Vec<u32>, Error> + Clone + Send + 'static,
    ) -> Vec<Result<u64, Status>> {
        let page = move |after: Option<u32>| {
            let page = source(after.unwrap_or_default());
            async { page }
        };
        pages(page, |number: &u32| *number).take(100).collect().await
    }

    #[tokio::test]
    async fn all_pages_are_streamed_in_their_order() {
        let numbers = read(|after| Ok((after + 1..=5).take(2).collect())).await;
        let numbers: Vec<_> = numbers.into_iter().map(Result::unwrap).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
    }

    #[tokio::test]
    async fn a_page_that_does_not_advance_ends_the_stream() {
        assert_eq!(read(|_| Ok(vec![1, 2])).await.len(), 2);
    }

    #[tokio::test]
    async fn a_page_that_cannot_be_read_ends_the_stream_with_its_error() {
        let failing = |after| match after {
            0 => Ok(vec![1]),
            _ => Err(Error::new(Kind::Unavailable, "away")),
        };
        let numbers = read(failing).await;
        assert_eq!(numbers.len(), 2);
        assert_eq!(numbers[1].as_ref().unwrap_err().code(), tonic::Code::Unavailable);
    }
}
