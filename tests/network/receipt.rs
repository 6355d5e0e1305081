//! A release counts as delivered only with the consortium's signed word for exactly its bytes.
//!
//! From: `product`.
//! To: nobody.

use std::sync::atomic::Ordering;

use coordinator::link::system_now;
use shared::identity::{Digest, SigningKey};
use shared::study::SiteState;
use shared::wire::Receipt;

use crate::product::{Forgery, Product, until};

/// Another document, properly signed: the very key, for other bytes.
fn other_bytes(consortium: &coordinator::consortium::Consortium, receipt: Vec<u8>) -> Vec<u8> {
    let ca = consortium.ca.public();
    let mut body = Receipt::open(&receipt, &ca, system_now()).unwrap();
    body.bytes = Digest::of(b"other bytes");
    let signer = &consortium.receipt;
    body.sign(&signer.key, signer.certificate.clone()).unwrap()
}

/// The right words, signed by a key that nobody certified.
fn other_key(consortium: &coordinator::consortium::Consortium, receipt: Vec<u8>) -> Vec<u8> {
    let ca = consortium.ca.public();
    let body = Receipt::open(&receipt, &ca, system_now()).unwrap();
    let key = SigningKey::from_seed(&[9; 32]);
    body.sign(&key, consortium.receipt.certificate.clone())
        .unwrap()
}

/// The study-signing key may not sign receipts.
fn other_purpose(consortium: &coordinator::consortium::Consortium, receipt: Vec<u8>) -> Vec<u8> {
    let ca = consortium.ca.public();
    let body = Receipt::open(&receipt, &ca, system_now()).unwrap();
    let signer = &consortium.signing;
    body.sign(&signer.key, signer.certificate.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_receipt_is_not_believed_and_the_release_is_sent_again() {
    let product = Product::open();
    let now = system_now();
    let day = 86_400;
    product
        .enrol(now.plus_seconds(-60), now.plus_seconds(30 * day))
        .await;
    product.launch();
    let forgeries: [Forgery; 4] = [|_, _| b"{}".to_vec(), other_bytes, other_key, other_purpose];
    *product.counter.forgeries.lock().unwrap() = forgeries.into();
    let node = product.run();
    let delivered = || {
        let store = product.node_store()?;
        let jobs = store.jobs().ok()?;
        let found = jobs.iter().any(|job| job.state == SiteState::Delivered);
        Some(found)
    };
    until("delivered", || {
        let done = delivered() == Some(true);
        let deliveries = product.counter.deliveries.load(Ordering::SeqCst);
        assert!(!done || deliveries == 5, "believed after {deliveries}");
        done
    })
    .await;
    node.stop().await;
    product.close().await;
}
