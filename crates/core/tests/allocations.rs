//! What happens for every packet of every subscriber asks the allocator for nothing. A count, so it
//! says the same on every machine.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use headwater_core::rtcp::{Compound, Message, SenderInfo, Writer};
use headwater_core::srtp::{Keys, Opener, Profile, Sealer, Side};

#[test]
fn sealing_and_opening_allocate_nothing() {
    for profile in [
        Profile::AeadAes128Gcm,
        Profile::AeadAes256Gcm,
        Profile::Aes128CmSha1_80,
    ] {
        let material = vec![7; profile.keying_material()];
        let (ours, _) = Keys::from_dtls(profile, &material, Side::Client).expect("enough");
        let (mut sealer, mut opener) = (Sealer::new(&ours), Opener::new(&ours));
        let mut turn = |sequence: u64| {
            let mut packet = [0x55; 1_300];
            packet[0] = 0x80;
            packet[2..4].copy_from_slice(&(sequence as u16).to_be_bytes());
            let len = sealer.seal_rtp(12, 1_172, &mut packet, sequence);
            let opened = opener.open_rtp(&mut packet[..len.expect("room")]);
            assert!(opened.is_ok());
            let mut report = [0x80; 128];
            let len = sealer.seal_rtcp(64, &mut report).expect("room");
            assert!(opener.open_rtcp(&mut report[..len]).is_ok());
        };
        turn(0); // the first packet of a source makes its window
        let count = allocations(|| (1..1_000).for_each(&mut turn));
        assert_eq!(count, 0, "{}", profile.name());
    }
}

#[test]
fn rtcp_allocates_nothing() {
    let lost: Vec<u16> = (0..200).step_by(3).collect();
    let deltas: Vec<Option<i32>> = (0..200).map(|at| (at % 7 != 0).then_some(at * 3)).collect();
    let mut buf = [0; 1_200];
    let count = allocations(|| {
        let mut writer = Writer::new(&mut buf);
        let info = SenderInfo::default();
        writer.sender_report(1, &info, &[]).expect("room");
        writer.canonical_name(1, "headwater").expect("room");
        writer.nack(1, 2, &lost).expect("room");
        writer
            .transport_cc((1, 2), 0, (0, 0), &deltas)
            .expect("room");
        let len = writer.len();
        for message in Compound::new(&buf[..len]) {
            match message.expect("what was written") {
                Message::Nack { lost, .. } => assert_eq!(lost.count(), 67),
                Message::TransportCc(feedback) => assert_eq!(feedback.arrivals().count(), 200),
                other => drop(black_box(other)),
            }
        }
    });
    assert_eq!(count, 0);
}

/// The test of the test.
#[test]
fn an_allocation_is_counted() {
    assert_eq!(allocations(|| drop(black_box(vec![1_u8; 100]))), 1);
}

/// How often this thread asks for memory during `work`.
fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; the count is a plain thread-local
// without a destructor, so it can be touched at any time of a thread's life.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as this function's own contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as this function's own contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
