;; A guest of which there are editions: replace its text edition=1 by edition=2 to
;; have another. Edition x fails every message. handle_batch emits the edition and
;; the event's name, of less than 100 bytes, for each message.
(module
  (memory (export "memory") 2)
  (data (i32.const 8) "edition=1")
  (data (i32.const 32) "\10\01\1a\09edition=x: ")

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 65536)) (then (return (i32.const 0))))
    (i32.const 65536))

  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.eq (i32.load8_u (i32.const 16)) (i32.const 0x78)) ;; x
      (then (return (i64.const 0x000000200000000d))))
    (i64.const 0))

  ;; A length of one or two bytes at $ptr, and how long that is.
  (func $length (param $ptr i32) (result i32)
    (local $first i32)
    (local.set $first (i32.load8_u (local.get $ptr)))
    (if (i32.lt_u (local.get $first) (i32.const 128)) (then (return (local.get $first))))
    (i32.or (i32.and (local.get $first) (i32.const 127))
      (i32.shl (i32.load8_u offset=1 (local.get $ptr)) (i32.const 7))))
  (func $skip (param $ptr i32) (result i32)
    (i32.add (i32.const 1) (i32.ge_u (i32.load8_u (local.get $ptr)) (i32.const 128))))

  (global $out (mut i32) (i32.const 0))
  (func $byte (param $b i32)
    (i32.store8 (global.get $out) (local.get $b))
    (global.set $out (i32.add (global.get $out) (i32.const 1))))
  (func $bytes (param $ptr i32) (param $len i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $len)))
        (call $byte (i32.load8_u (local.get $ptr)))
        (local.set $ptr (i32.add (local.get $ptr) (i32.const 1)))
        (local.set $len (i32.sub (local.get $len) (i32.const 1)))
        (br $next))))

  ;; What there is of a message: its result, and a record. The event is the first
  ;; thing in it; its id has 36 bytes, and its name follows it.
  (func $message (param $ptr i32) (param $index i32)
    (local $name i32)
    (local.set $ptr (i32.add (local.get $ptr) (i32.const 1)))
    (local.set $ptr (i32.add (local.get $ptr) (call $skip (local.get $ptr))))
    (local.set $name (i32.load8_u offset=39 (local.get $ptr)))
    (call $byte (i32.const 0x0a))
    (call $byte (i32.const 2))
    (call $byte (i32.const 0x08))
    (call $byte (local.get $index))
    (call $byte (i32.const 0x12))
    (call $byte (i32.add (local.get $name) (i32.const 13)))
    (call $byte (i32.const 0x0a))
    (call $byte (i32.add (local.get $name) (i32.const 11)))
    (call $bytes (i32.const 8) (i32.const 9))
    (call $bytes (i32.const 45) (i32.const 2))
    (call $bytes (i32.add (local.get $ptr) (i32.const 40)) (local.get $name)))

  ;; There are less than 128 messages.
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
        (local.set $ptr (i32.add (local.get $ptr) (i32.const 1)))
        (local.set $size (call $length (local.get $ptr)))
        (local.set $ptr (i32.add (local.get $ptr) (call $skip (local.get $ptr))))
        (br_if $next (i32.eqz (i32.and (local.get $tag) (i32.const 2)))) ;; a number
        (if (i32.eq (local.get $tag) (i32.const 0x22)) ;; messages
          (then
            (call $message (local.get $ptr) (local.get $index))
            (local.set $index (i32.add (local.get $index) (i32.const 1)))))
        (local.set $ptr (i32.add (local.get $ptr) (local.get $size)))
        (br $next)))
    (i64.or (i64.const 0x0000200000000000)
      (i64.extend_i32_u (i32.sub (global.get $out) (i32.const 8192))))))
