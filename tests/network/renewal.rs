//! A node renews its certificate at two thirds of its life, with a new key, whatever happens in
//! between.
//!
//! From: `product`.
//! To: nobody.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use coordinator::link::system_now;
use node::link::{Dialer, LinkFault, Renewal, RenewalFault, SystemEntropy};
use shared::wire::{NodeReply, NodeRequest};

use crate::product::{Product, SITE, until};
use crate::world::hello;

const DAY: i64 = 86_400;
const PATIENCE: Duration = Duration::from_secs(20);

/// A product whose hospital holds a certificate of which 21 of 30 days have passed.
async fn due() -> Product {
    let product = Product::open();
    let now = system_now();
    let from = now.plus_seconds(-21 * DAY);
    product.enrol(from, from.plus_seconds(30 * DAY)).await;
    product
}

async fn renewed(product: &Product, before: shared::identity::Serial) {
    until("renewed", || {
        let Ok(identity) = product.identity_dir().load() else {
            return false;
        };
        identity.serial != before
    })
    .await;
    let site = SITE.parse().unwrap();
    until("the old certificate is superseded", || {
        let known = product.store.certificates(&site).unwrap();
        known
            .iter()
            .any(|row| row.serial == before && row.superseded_at.is_some())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_node_renews_in_time_with_a_new_key_and_goes_on() {
    let product = due().await;
    let old = product.identity_dir().load().unwrap();
    assert!(old.renewal_due(system_now()));
    assert!((8..=9).contains(&old.days_left(system_now())));
    let node = product.run();
    renewed(&product, old.serial).await;
    let new = product.identity_dir().load().unwrap();
    assert_ne!(new.key().public(), old.key().public());
    assert!(!new.renewal_due(system_now()));
    assert!((29..=30).contains(&new.days_left(system_now())));
    until("the old key is gone", || {
        !product.identity_path().join("pair-1").exists()
    })
    .await;
    // Work goes on over the new connection, and nothing is renewed twice.
    product.launch();
    until("delivered", || {
        product.counter.deliveries.load(Ordering::SeqCst) == 1
    })
    .await;
    assert_eq!(product.counter.renewals.load(Ordering::SeqCst), 1);
    node.stop().await;
    product.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_certificate_is_young_does_not_renew() {
    let product = Product::open();
    let now = system_now();
    let from = now.plus_seconds(-19 * DAY);
    product.enrol(from, from.plus_seconds(30 * DAY)).await;
    product.launch();
    let node = product.run();
    until("delivered", || {
        product.counter.deliveries.load(Ordering::SeqCst) == 1
    })
    .await;
    assert_eq!(product.counter.renewals.load(Ordering::SeqCst), 0);
    node.stop().await;
    product.close().await;
}

/// Asks for the new certificate over a connection of the old one.
async fn ask(product: &Product, renewal: &Renewal) -> Vec<u8> {
    let identity = product.identity_dir().load().unwrap();
    let address = product.address().clone();
    let link = Dialer::new(address, Arc::new(identity))
        .connect(&hello())
        .await
        .unwrap();
    let reply = link.request(&renewal.request(), PATIENCE).await.unwrap();
    link.hang_up().await;
    match reply {
        NodeReply::Certificate(certificate) => certificate,
        other => panic!("{other:?}"),
    }
}

/// A crash after each write of a renewal: the old identity loads, and a restarted node finishes
/// with the certificate that was already issued.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_the_writes_leaves_an_identity_that_works() {
    for certificate_written in [false, true] {
        let product = due().await;
        let dir = product.identity_dir();
        let old = dir.load().unwrap();
        let renewal = Renewal::prepare(&dir, &mut SystemEntropy).unwrap();
        let issued = ask(&product, &renewal).await;
        let pair = product.identity_path().join("pair-2");
        assert!(pair.join("key.pem").exists());
        if certificate_written {
            // Everything but the last step: the link still names the old pair.
            renewal.keep(&old, issued.clone(), system_now()).unwrap();
            let link = product.identity_path().join("current");
            std::fs::remove_file(&link).unwrap();
            std::os::unix::fs::symlink("pair-1", &link).unwrap();
        }
        assert_eq!(pair.join("node.pem").exists(), certificate_written);
        assert_eq!(dir.load().unwrap().serial, old.serial);

        let node = product.run();
        renewed(&product, old.serial).await;
        let site = SITE.parse().unwrap();
        let known = product.store.certificates(&site).unwrap();
        assert_eq!(known.len(), 2, "the certificate already issued is used");
        assert_eq!(dir.load().unwrap().serial, known[1].serial);
        node.stop().await;
        product.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_not_kept_and_an_old_certificate_ends_the_site() {
    let product = due().await;
    let dir = product.identity_dir();
    let old = dir.load().unwrap();
    let renewal = Renewal::prepare(&dir, &mut SystemEntropy).unwrap();
    let mut issued = ask(&product, &renewal).await;
    let of_another_key = old.certificate_der().to_vec();
    for bad in [Vec::new(), b"no certificate".to_vec(), of_another_key] {
        let fault = renewal.keep(&old, bad, system_now()).err().unwrap();
        assert!(matches!(fault, RenewalFault::Misfit(_)), "{fault:?}");
        assert_eq!(dir.load().unwrap().serial, old.serial);
    }
    let last = issued.len() - 1;
    issued[last] ^= 1;
    assert!(renewal.keep(&old, issued.clone(), system_now()).is_err());
    issued[last] ^= 1;
    let new = renewal.keep(&old, issued, system_now()).unwrap();
    let connect = async |identity| {
        Dialer::new(product.address().clone(), Arc::new(identity))
            .connect(&hello())
            .await
    };
    let link = connect(new).await.unwrap();
    assert!(link.is_open());
    // Whoever still holds the old key is shut out.
    let fault = connect(old).await.err().unwrap();
    assert!(
        matches!(fault, LinkFault::CertificateRefused { .. }),
        "{fault:?}"
    );
    let beat = NodeRequest::Beat {
        state: shared::study::SiteState::Idle,
    };
    assert_eq!(link.request(&beat, PATIENCE).await, Ok(NodeReply::Ack));
    link.hang_up().await;
    product.close().await;
}
