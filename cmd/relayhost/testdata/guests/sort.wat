;; A guest with batches. handle_message does what the first letter of an event's
;; id says, where all frames are shorter than 128 bytes:
;;
;;   a  routes to audit, with the batch key k
;;   d  fails, and is to be dropped
;;   s  goes on as two: as it is, and to audit with the data x
;;   b  is content, and its batch fails it
;;   m  is content, and its batch says nothing of it
;;
;; and is content with any other. handle_batch emits its batcher's name, then a
;; record that is not UTF-8.
(module
  (memory (export "memory") 2)
  (data (i32.const 16) "\32\05audit\3a\01k")
  (data (i32.const 48) "\10\01\1a\04lost\48\04")
  (data (i32.const 80) "\52\00\52\0a\0a\01x\12\05audit")
  (data (i32.const 112) "\12\03\0a\01\ff")

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 65536)) (then (return (i32.const 0))))
    (i32.const 65536))

  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (local $wish i32)
    (local.set $wish (i32.load8_u (i32.add (local.get $ptr) (i32.const 4))))
    (if (i32.eq (local.get $wish) (i32.const 0x61)) (then (return (i64.const 0x000000100000000a))))
    (if (i32.eq (local.get $wish) (i32.const 0x64)) (then (return (i64.const 0x000000300000000a))))
    (if (i32.eq (local.get $wish) (i32.const 0x73)) (then (return (i64.const 0x000000500000000e))))
    (i64.const 0))

  (global $out (mut i32) (i32.const 0))
  (func $byte (param $b i32)
    (i32.store8 (global.get $out) (local.get $b))
    (global.set $out (i32.add (global.get $out) (i32.const 1))))
  (func $bytes (param $ptr i32) (param $len i32)
    (memory.copy (global.get $out) (local.get $ptr) (local.get $len))
    (global.set $out (i32.add (global.get $out) (local.get $len))))

  ;; The result of message $index, whose id begins with $wish.
  (func $result (param $index i32) (param $wish i32)
    (if (i32.eq (local.get $wish) (i32.const 0x6d)) (then (return)))
    (call $byte (i32.const 0x0a))
    (call $byte (i32.const 4))
    (call $byte (i32.const 0x08))
    (call $byte (local.get $index))
    (call $byte (i32.const 0x10))
    (call $byte (i32.eq (local.get $wish) (i32.const 0x62))))

  ;; Every field of a batch is a varint of one byte, or has a length of one.
  (func (export "handle_batch") (param $ptr i32) (param $len i32) (result i64)
    (local $end i32)
    (local $tag i32)
    (local $size i32)
    (local $index i32)
    (global.set $out (i32.const 8192))
    (local.set $end (i32.add (local.get $ptr) (local.get $len)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $ptr) (local.get $end)))
        (local.set $tag (i32.load8_u (local.get $ptr)))
        (local.set $size (i32.load8_u offset=1 (local.get $ptr)))
        (local.set $ptr (i32.add (local.get $ptr) (i32.const 2)))
        (br_if $next (i32.eqz (i32.and (local.get $tag) (i32.const 2))))
        (if (i32.eq (local.get $tag) (i32.const 0x0a)) ;; batcher
          (then
            (call $byte (i32.const 0x12))
            (call $byte (i32.add (local.get $size) (i32.const 2)))
            (call $byte (i32.const 0x0a))
            (call $byte (local.get $size))
            (call $bytes (local.get $ptr) (local.get $size))))
        (if (i32.eq (local.get $tag) (i32.const 0x22)) ;; messages
          (then
            (call $result (local.get $index) (i32.load8_u offset=4 (local.get $ptr)))
            (local.set $index (i32.add (local.get $index) (i32.const 1)))))
        (local.set $ptr (i32.add (local.get $ptr) (local.get $size)))
        (br $next)))
    (call $bytes (i32.const 112) (i32.const 5))
    (i64.or (i64.const 0x0000200000000000)
      (i64.extend_i32_u (i32.sub (global.get $out) (i32.const 8192))))))
