/*
 * Proves the way of two deliveries from their batch through a flight to an outcome, with all that may come in between.
 *
 * What stands in one `atomic` is one statement of PostgreSQL (READ COMMITTED: it sees what was committed when it began); a
 * lock is held from one statement to the commit. SQLite has one writer: its transactions are coarser than this. The
 * code: services/shared/ledger/{flights,moves}.py, services/channels/sending, services/channels/outcomes.
 *
 * Two processes send, the first may die at any point, both may hang past their leases. Beside them: whoever looks after
 * leases, a take-back (STOP, a path that closes), a cancel, a receipt. `moves.pml` is made from the ledger's table.
 * Holds always: accepts <= 1 + ambiguous; no call of what was taken back; one open flight for a delivery; no flight after a
 * cancel; only moves of the table. In the end, when nobody can move: nothing to be sent, in the air or claimed.
 * FAULT=n plants a defect; each must be found. Not among them: an intent that does not ask whether the batch is its own. It
 * leaves out what is in the air under the batch's lock, and that is enough by itself.
 */
#ifndef FAULT
#define FAULT 0
#endif
#define TAKES_NO_LOCK    1  /* who takes back does not lock the batch */
#define OLD_BATCH        2  /* who takes back does not ask whether the delivery is still in the batch it has locked */
#define NO_SECOND_LOOK   3  /* an intent trusts what its claim has read */
#define SENT_AGAIN       4  /* what a dead flight held is due again, not unknown */
#define BESIDE_A_FLIGHT  5  /* an intent does not leave out what is in the air */
#define LANDS_FIRST      6  /* a flight lands before its outcome is written */
#define GONE_AT_CLAIM    7  /* a batch goes when it is claimed */
#define LATE_OUTCOME     8  /* an outcome is written whatever has happened since */
#define BLIND_TO_CANCEL  9  /* an intent does not look at the warning */
#define CANCEL_NO_LOCK  10  /* a cancel does not wait for intents that are being written */
#define STAYS_IN_BATCH  11  /* what is due again stays in its old batch too */
#define RECOVERS_CALLED 12  /* what was called is given back as if it had not been */
#define CALLS_LATE      13  /* a call begins however long ago its flight was opened */
#define GONE_WITH_PART  14  /* a batch goes with its first intent, whatever is left of it */
#define AIR_LAST        15  /* an intent looks at what is due, and then at what is in the air */

#ifndef ACTORS
#define ACTORS 7
#endif

#define N 2
#ifndef B
#define B 2
#endif
#define NOBODY 9
#define PENDING 0
#define RETRY 1
#define SENDING 2
#define ACCEPTED 3
#define UNKNOWN 4
#define DELIVERED 5
#define FAILED 6
#define SUPPRESSED 7
#define CANCELLED 8
#include "moves.pml"

byte state[N], in_batch[N], accepts[N], ambiguous[N];
bool tried[N];
byte also_in[N];   /* STAYS_IN_BATCH alone */
bool stands[B]; byte holder[B]; bool locked[B]; bool read_locked[B];
byte batches = 1;
bool open[2], busy[2]; byte of_batch[2], mask[2];   /* a process has one flight at a time */
byte intending = 0; bool cancelled = false, dead = false, hung = false;
hidden byte i, k;   /* for loops within a statement */

#define BIT(d) (1 << (d))
#define DUE(d) (state[d] == PENDING || state[d] == RETRY)
#define HELD(f, d) (open[f] && of_batch[f] == in_batch[d] && (mask[f] & BIT(d)))
#define IN_THE_AIR(d) (HELD(0, d) || HELD(1, d))
#define FINDS(d, b) (in_batch[d] == b || also_in[d] == b)
#define WAITS(b) (stands[b] && holder[b] == NOBODY && !locked[b] && !read_locked[b])
#define CLAIMS(b, p) (stands[b] && holder[b] == p)

#if B == 3
#define CLAIMED_BY_DEAD (CLAIMS(0, 0) || CLAIMS(1, 0) || CLAIMS(2, 0))
#define SOME_WAIT (WAITS(0) || WAITS(1) || WAITS(2))
#else
#define CLAIMED_BY_DEAD (CLAIMS(0, 0) || CLAIMS(1, 0))
#define SOME_WAIT (WAITS(0) || WAITS(1))
#endif

inline go(d, after) {
  assert((DUE(d) && IN_THE_AIR(d)) -> MAY(SENDING, after) : MAY(state[d], after));
  state[d] = after
}
inline lose(f) {   /* what a flight held when its lease was over */
  for (i : 0 .. N - 1) {
    if
    :: (mask[f] & BIT(i)) && DUE(i) && in_batch[i] == of_batch[f] ->
       if
       :: FAULT == SENT_AGAIN && batches < B -> go(i, RETRY); in_batch[i] = batches; stands[batches] = true; batches++
       :: else -> go(i, UNKNOWN); ambiguous[i]++
       fi
    :: else
    fi
  }
  open[f] = false; mask[f] = 0; of_batch[f] = 0
}
inline enqueue(d) {
  if :: FAULT == STAYS_IN_BATCH -> also_in[d] = in_batch[d] :: else fi;
  in_batch[d] = batches; stands[batches] = true; batches++
}

#define MAY_DIE if :: me == 0 -> dead = true; goto killed :: true fi
#define LEAVE_OUT_THE_AIR \
  for (i : 0 .. N - 1) { if :: IN_THE_AIR(i) && FAULT != BESIDE_A_FLIGHT -> want = want & ~BIT(i) :: else fi }

proctype Channels(byte me) {
  byte b = 0, hand = 0, want = 0, d = 0; bool live = false, called = false, took = false;
end_idle:
  do
  :: atomic {   /* claim */
       if
       :: WAITS(0) && !cancelled -> b = 0
       :: WAITS(1) && !cancelled -> b = 1
       #if B == 3
       :: WAITS(2) && !cancelled -> b = 2
#endif
       fi;
       holder[b] = me; hand = 0;
       for (i : 0 .. N - 1) { if :: DUE(i) && FINDS(i, b) -> hand = hand | BIT(i) :: else fi }
       if :: hand == 0 || FAULT == GONE_AT_CLAIM -> stands[b] = false; holder[b] = NOBODY :: else fi
       MAY_DIE
     }
     do
     :: hand == 0 -> break
     :: atomic { hand ->   /* an orderly stop, or a provider that is left alone */
          if :: CLAIMS(b, me) -> holder[b] = NOBODY :: else fi;
          hand = 0; b = 0 }
        break
     :: atomic { hand -> intending++;   /* the warning's lock, shared: all of the hand, or a part */
          if :: want = hand :: hand == 3 -> want = 1 :: hand == 3 -> want = 2 fi;
          hand = hand & ~want }
        atomic { !locked[b] && !read_locked[b] -> locked[b] = true;   /* the batch is ours, its warning goes on */
          live = (CLAIMS(b, me) || FAULT == GONE_AT_CLAIM) && (!cancelled || FAULT == BLIND_TO_CANCEL) }
#if FAULT != 15
        atomic { LEAVE_OUT_THE_AIR }
#endif
        atomic {   /* what is still due there */
          for (i : 0 .. N - 1) {
            if :: !(DUE(i) && FINDS(i, b)) && FAULT != NO_SECOND_LOOK -> want = want & ~BIT(i) :: else fi } }
        atomic {   /* commit */
#if FAULT == 15
          LEAVE_OUT_THE_AIR;
#endif
          if
          :: live ->
             if
             :: want ->
                assert(!cancelled);
                for (i : 0 .. N - 1) { assert(!((want & BIT(i)) && IN_THE_AIR(i))) }
                open[me] = true; of_batch[me] = b; mask[me] = want
             :: else
             fi;
             if :: hand == 0 || FAULT == GONE_WITH_PART -> stands[b] = false; holder[b] = NOBODY :: else fi
          :: else -> want = 0; hand = 0; if :: CLAIMS(b, me) -> holder[b] = NOBODY :: else fi
          fi;
          intending--; locked[b] = false; live = false;
          MAY_DIE
        }
        if
        :: atomic { want && batches < B && open[me] && FAULT != RECOVERS_CALLED ->   /* its commit was lost: nothing was called */
             open[me] = false; mask[me] = 0; of_batch[me] = 0; k = batches;
             for (i : 0 .. N - 1) {
               if
               :: (want & BIT(i)) && DUE(i) && in_batch[i] == b -> in_batch[i] = k; stands[k] = true; batches = k + 1
               :: else
               fi }
             if :: CLAIMS(b, me) -> holder[b] = NOBODY :: else fi;
             want = 0; hand = 0 }
        :: true
        fi;
        do
        :: want == 0 -> break
        :: atomic { want ->   /* half a second after its flight was opened a call begins no more; a lease lasts longer */
             if :: want & 1 -> d = 0 :: want & 2 -> d = 1 fi;
             called = open[me] || FAULT == CALLS_LATE;
             if
             :: called ->
                assert(state[d] != SUPPRESSED && state[d] != CANCELLED && in_batch[d] == b);
                if :: accepts[d]++; took = true; assert(accepts[d] <= 1 + ambiguous[d]) :: true fi
             :: else
             fi;
             MAY_DIE }
#if FAULT == 12
           atomic { if :: called && batches < B && DUE(d) -> go(d, RETRY); enqueue(d) :: else fi }
#endif
#if FAULT == 6
           atomic { open[me] = false; MAY_DIE }
#endif
           atomic { !busy[me] -> busy[me] = true }   /* the outcome: its flight is locked */
           atomic {
             if
             :: DUE(d) && ((open[me] && in_batch[d] == b) || FAULT == LATE_OUTCOME || FAULT == LANDS_FIRST) ->
                if
                :: took -> go(d, ACCEPTED)
                :: !took && !tried[d] && batches < B -> tried[d] = true; go(d, RETRY); enqueue(d)   /* surely not sent */
                :: !took && (tried[d] || batches == B) -> go(d, FAILED)
                :: called -> go(d, UNKNOWN); ambiguous[d]++   /* no answer, whether it was taken or not */
                fi
             :: FAULT == LATE_OUTCOME && state[d] == UNKNOWN && !took && batches < B -> state[d] = RETRY; enqueue(d)
             :: state[d] == UNKNOWN && took -> go(d, ACCEPTED)
             :: else
             fi;
             want = want & ~BIT(d);
             if :: want == 0 -> open[me] = false; mask[me] = 0; of_batch[me] = 0 :: else fi;
             busy[me] = false; called = false; took = false; d = 0
           }
        od
     od;
     b = 0
  od;
killed:
  skip
}

proctype Housekeeping() {
end_idle:
  do
  :: atomic { !hung && stands[0] && holder[0] != NOBODY && !locked[0] -> hung = true; holder[0] = NOBODY }   /* a lease is over */
  :: atomic { !hung && open[0] && !busy[0] -> hung = true; lose(0) }
  :: atomic { !hung && open[1] && !busy[1] -> hung = true; lose(1) }
  :: atomic {   /* the process is dead */
       dead && (CLAIMED_BY_DEAD || open[0]) ->
       for (k : 0 .. B - 1) { if :: CLAIMS(k, 0) -> holder[k] = NOBODY :: else fi }
       if :: open[0] -> lose(0) :: else fi }
  :: atomic {   /* what is unknown goes out once more */
       !cancelled && batches < B && state[0] == UNKNOWN && ambiguous[0] < 2 -> go(0, RETRY); enqueue(0) }
  :: atomic {   /* what waits under a warning that is over */
       cancelled && SOME_WAIT ->
       for (k : 0 .. B - 1) {
         if
         :: WAITS(k) ->
            for (i : 0 .. N - 1) { if :: in_batch[i] == k && DUE(i) && !IN_THE_AIR(i) -> go(i, CANCELLED) :: else fi }
            stands[k] = false
         :: else
         fi } }
  od
}

proctype TakeBack() {   /* the number said STOP, or the path closed: of the first delivery */
  byte b; bool unsent, reads;
  b = in_batch[0];   /* its batch is looked up, and then waited for; it may be gone by then */
  if
  :: FAULT == TAKES_NO_LOCK
  :: else -> atomic { !locked[b] -> if :: stands[b] -> read_locked[b] = true; reads = true :: else fi }
  fi;
  unsent = DUE(0) && !IN_THE_AIR(0);   /* the update begins: what it sees of flights */
  atomic {   /* and writes: of the row it looks at the newest, of flights it does not */
    if
    :: unsent && DUE(0) && (in_batch[0] == b || FAULT == OLD_BATCH || FAULT == TAKES_NO_LOCK) -> state[0] = SUPPRESSED
    :: else
    fi;
    if :: reads -> read_locked[b] = false :: else fi;
    b = 0; unsent = false; reads = false
  }
}

proctype Cancel() {
  atomic { intending == 0 || FAULT == CANCEL_NO_LOCK -> cancelled = true }
}

proctype Callback() {   /* a receipt may be quicker than the answer to the call */
end_idle:
  atomic { accepts[1] > 0 && (DUE(1) || state[1] == ACCEPTED || state[1] == UNKNOWN || state[1] == FAILED) -> go(1, DELIVERED) }
}

proctype Judge() {   /* when nobody else can move */
  timeout ->
  atomic {
    for (i : 0 .. N - 1) { assert(!DUE(i)) }
    for (i : 0 .. 1) { assert(!open[i]) }
    for (i : 0 .. B - 1) { assert(!(stands[i] && holder[i] != NOBODY)) }
  }
}

init {
  atomic {
    for (i : 0 .. B - 1) { holder[i] = NOBODY }
    for (i : 0 .. N - 1) { also_in[i] = NOBODY }
    stands[0] = true;
    run Channels(0); run Channels(1); run Housekeeping(); run Judge();
#if ACTORS & 1
    run TakeBack();
#endif
#if ACTORS & 2
    run Cancel();
#endif
#if ACTORS & 4
    run Callback();
#endif
  }
}
