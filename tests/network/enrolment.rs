//! From invitation to connection, and the ways an invitation can fail.
//!
//! From: `world`.
//! To: nobody.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use node::link::{Dialer, Enrolment, IdentityDir, SystemEntropy};
use shared::fault::Code;
use shared::identity::{InvitationSecret, words_agree};

use crate::world::{World, hello, pinned};

#[tokio::test]
async fn a_site_joins_by_invitation_and_words() {
    let world = World::open();
    let folder = tempfile::tempdir().unwrap();
    let dir = IdentityDir::new(folder.path().join("identity"));
    let token = world.roster.invite("st-olav", world.address.clone());
    let text = token.to_string();

    let first = Enrolment::prepare(&dir, &text, &mut SystemEntropy).unwrap();
    first.enrol().await.unwrap();
    let words = world.roster.words("st-olav").unwrap();
    assert!(words_agree(first.words(), &words));
    assert!(first.collect().await.unwrap().is_none());
    let pending = first.wait(Duration::ZERO).await.err().unwrap();
    assert_eq!(pending.code, Code::ApprovalPending);
    assert!(!dir.has_joined());

    // The command is repeated, as the fault says: same key, same words, accepted again.
    let again = Enrolment::prepare(&dir, &text, &mut SystemEntropy).unwrap();
    again.enrol().await.unwrap();
    assert_eq!(again.words(), first.words());
    let serial = world.roster.approve("st-olav");
    let identity = again.wait(Duration::from_secs(20)).await.unwrap();
    assert_eq!(identity.site.as_str(), "st-olav");
    assert_eq!(identity.serial, serial);
    assert_eq!(identity.ca_fingerprint, token.ca);
    assert_eq!(pinned(&identity), [world.roster.signer.public()]);

    // What was written is what is read after a restart.
    let loaded = dir.load().unwrap();
    assert_eq!(loaded.serial, serial);
    assert_eq!(pinned(&loaded), pinned(&identity));
    let mode = std::fs::metadata(dir.key_path()).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let dialer = Dialer::new(world.address.clone(), Arc::new(loaded));
    let link = dialer.connect(&hello()).await.unwrap();
    assert!(link.acknowledged().skew_seconds.abs() <= 1);
    let joined = Enrolment::prepare(&dir, &text, &mut SystemEntropy);
    assert_eq!(joined.err().unwrap().code, Code::AlreadyJoined);
    link.hang_up().await;
    world.stop().await;
}

#[tokio::test]
async fn a_wrong_secret_or_a_second_key_gets_no_certificate() {
    let world = World::open();
    let mut token = world.roster.invite("st-olav", world.address.clone());
    let text = token.to_string();
    token.secret = InvitationSecret::from_bytes(&[0; 16]).unwrap();
    let prepare = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let dir = IdentityDir::new(folder.path());
        let prepared = Enrolment::prepare(&dir, text, &mut SystemEntropy).unwrap();
        (folder, prepared)
    };
    let (_a, guessed) = prepare(&token.to_string());
    assert_eq!(
        guessed.enrol().await.err().unwrap().code,
        Code::TokenInvalid
    );
    let (_b, honest) = prepare(&text);
    honest.enrol().await.unwrap();
    let (_c, stolen) = prepare(&text);
    assert_eq!(stolen.enrol().await.err().unwrap().code, Code::TokenInvalid);
    assert!(words_agree(
        honest.words(),
        &world.roster.words("st-olav").unwrap()
    ));
    world.stop().await;
}

#[tokio::test]
async fn another_ca_than_the_invitations_is_told_as_interception() {
    let world = World::open();
    let other = World::open();
    // The invitation is of `other`, but `world` answers at its address.
    let token = other.roster.invite("st-olav", world.address.clone());
    let folder = tempfile::tempdir().unwrap();
    let dir = IdentityDir::new(folder.path());
    let text = token.to_string();
    let enrolment = Enrolment::prepare(&dir, &text, &mut SystemEntropy).unwrap();
    let fault = enrolment.enrol().await.err().unwrap();
    assert_eq!(fault.code, Code::WrongCoordinator);
    assert!(fault.why.contains("Test consortium"), "{fault}");
    let asked = world
        .roster
        .join_requests
        .load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(asked, 0, "the secret was sent to a stranger");
    world.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_damaged_invitation_is_refused_before_a_key_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let dir = IdentityDir::new(folder.path().join("identity"));
    for text in ["", "fvj1.", "fvj1.host:443.site.AAAA", "step ca"] {
        let fault = Enrolment::prepare(&dir, text, &mut SystemEntropy)
            .err()
            .unwrap();
        assert_eq!(fault.code, Code::TokenInvalid);
    }
    assert!(!dir.key_path().exists());
}
