;; A plugin of which a test makes versions, by what it writes in the place of two
;; texts of the file. "v0000000" is the version: a message's data. "wilful behaviour"
;; is how it behaves, in bytes:
;;
;;   0     of a hundred events, how many fail
;;   1     of a hundred events, how many trap
;;   2     configure: 1 traps, 2 spins, 3 refuses
;;   3     the start: 1 traps
;;   4-7   how many loops a message takes, little endian
;;
;; The hundredth that an event is of is in its bytes: it fails with all versions
;; alike. A batch is one record: the version, and the batch's frame as it came. The
;; first letter of the last text of configure's table is the version's first.
(module
  (memory (export "memory") 8)
  (data (i32.const 16) "\2a\08v0000000")
  (data (i32.const 32) "wilful behaviour")
  (data (i32.const 64) "\10\01\1a\06wilful")

  (func (export "relay_abi_v1"))

  (func (export "_initialize")
    (if (i32.eq (i32.load8_u (i32.const 35)) (i32.const 1)) (then (unreachable))))

  (func (export "relay_buffer") (param $size i32) (result i32)
    (select (i32.const 0) (i32.const 65536) (i32.gt_u (local.get $size) (i32.const 131072))))

  (func (export "configure") (param $ptr i32) (param $len i32) (result i64)
    (local $how i32) (local $end i32)
    (local.set $how (i32.load8_u (i32.const 34)))
    (if (i32.eq (local.get $how) (i32.const 1)) (then (unreachable)))
    (if (i32.eq (local.get $how) (i32.const 2)) (then (loop $spin (br $spin))))
    (if (i32.eq (local.get $how) (i32.const 3)) (then (return (i64.const 0x000000400000000a))))
    (local.set $end (i32.add (local.get $ptr) (local.get $len)))
    (if (i32.and
          (i32.gt_u (local.get $len) (i32.const 8))
          (i32.eq (i32.load16_u (i32.sub (local.get $end) (i32.const 2))) (i32.const 0x7d22)))
      (then (i32.store8 (i32.const 18) (i32.load8_u (i32.sub (local.get $end) (i32.const 3))))))
    (i64.const 0))

  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (local $hundredth i32) (local $loops i32)
    (local.set $loops (i32.load (i32.const 36)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $loops)))
        (local.set $loops (i32.sub (local.get $loops) (i32.const 1)))
        (br $next)))
    (local.set $hundredth (call $hundredth (local.get $ptr) (local.get $len)))
    (if (i32.lt_u (local.get $hundredth) (i32.load8_u (i32.const 33))) (then (unreachable)))
    (if (i32.lt_u (local.get $hundredth) (i32.load8_u (i32.const 32)))
      (then (return (i64.const 0x000000400000000a))))
    (i64.const 0x000000100000000a))

  (func $hundredth (param $ptr i32) (param $len i32) (result i32)
    (local $sum i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $len)))
        (local.set $sum
          (i32.add (i32.mul (local.get $sum) (i32.const 31)) (i32.load8_u (local.get $ptr))))
        (local.set $ptr (i32.add (local.get $ptr) (i32.const 1)))
        (local.set $len (i32.sub (local.get $len) (i32.const 1)))
        (br $next)))
    (i32.rem_u (local.get $sum) (i32.const 100)))

  ;; The output is from page 4 on: a result of every message, and the record.
  (func (export "handle_batch") (param $ptr i32) (param $len i32) (result i64)
    (local $end i32) (local $key i32) (local $at i32) (local $size i32) (local $index i32) (local $out i32)
    (local.set $at (local.get $ptr))
    (local.set $end (i32.add (local.get $ptr) (local.get $len)))
    (local.set $out (i32.const 262144))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $key (i32.load8_u (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (call $varint (local.get $at))
        (local.set $size)
        (local.set $at)
        (if (i32.eq (i32.and (local.get $key) (i32.const 7)) (i32.const 2))
          (then (local.set $at (i32.add (local.get $at) (local.get $size)))))
        (br_if $next (i32.ne (local.get $key) (i32.const 0x22)))
        ;; A message: its result is 0a 02 08 index.
        (i32.store (local.get $out)
          (i32.or (i32.const 0x0008020a) (i32.shl (local.get $index) (i32.const 24))))
        (local.set $out (i32.add (local.get $out) (i32.const 4)))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    ;; The record, with its data: the version, and the frame.
    (local.set $size (i32.add (local.get $len) (i32.const 8)))
    (call $field (local.get $out) (i32.const 0x12) (i32.add (local.get $size) (i32.const 4)))
    (call $field (i32.add (local.get $out) (i32.const 4)) (i32.const 0x0a) (local.get $size))
    (i64.store (i32.add (local.get $out) (i32.const 8)) (i64.load (i32.const 18)))
    (memory.copy (i32.add (local.get $out) (i32.const 16)) (local.get $ptr) (local.get $len))
    (i64.or
      (i64.const 0x0004000000000000)
      (i64.extend_i32_u (i32.sub (i32.add (local.get $out) (i32.add (local.get $size) (i32.const 8))) (i32.const 262144)))))

  ;; Writes a field's key and length, in a varint of three bytes.
  (func $field (param $at i32) (param $key i32) (param $size i32)
    (i32.store (local.get $at)
      (i32.or
        (i32.or
          (i32.or (i32.const 0x00808000) (local.get $key))
          (i32.shl (i32.and (local.get $size) (i32.const 127)) (i32.const 8)))
        (i32.or
          (i32.shl (i32.and (i32.shr_u (local.get $size) (i32.const 7)) (i32.const 127)) (i32.const 16))
          (i32.shl (i32.shr_u (local.get $size) (i32.const 14)) (i32.const 24))))))

  ;; Returns the address after the varint at $ptr, and its value.
  (func $varint (param $ptr i32) (result i32 i32)
    (local $value i32) (local $shift i32) (local $byte i32)
    (loop $more
      (local.set $byte (i32.load8_u (local.get $ptr)))
      (local.set $ptr (i32.add (local.get $ptr) (i32.const 1)))
      (local.set $value
        (i32.or (local.get $value)
          (i32.shl (i32.and (local.get $byte) (i32.const 127)) (local.get $shift))))
      (local.set $shift (i32.add (local.get $shift) (i32.const 7)))
      (br_if $more (i32.ge_u (local.get $byte) (i32.const 128))))
    (local.get $ptr)
    (local.get $value)))
