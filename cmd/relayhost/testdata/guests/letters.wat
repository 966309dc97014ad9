;; A guest that does what the first letter of an event's name says, as one of two
;; versions: replace its text version=1 by version=2 to have the other.
;;
;;                     version 1                version 2
;;   d  answers        state old                state new
;;   r  routes         to audit                 to default, with the batch key k
;;   f  fails          no                       is content
;;   n  fails          no                       nope
;;   s                 is content               is content after 1000 rounds
;;
;; and is content with any other. handle_batch emits how many messages there are,
;; at most 9, and version 2 an exclamation mark if there are more than two.
(module
  (memory (export "memory") 2)
  (data (i32.const 8) "version=1")
  (data (i32.const 32) "\2a\15{\22n\22:1,\22state\22:\22old\22}")
  (data (i32.const 64) "\2a\15{\22n\22:1,\22state\22:\22new\22}")
  (data (i32.const 96) "\32\05audit")
  (data (i32.const 112) "\3a\01k")
  (data (i32.const 128) "\10\01\1a\02no")
  (data (i32.const 144) "\10\01\1a\04nope")

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 65536)) (then (return (i32.const 0))))
    (i32.const 65536))

  (func $new (result i32)
    (i32.eq (i32.load8_u (i32.const 16)) (i32.const 0x32)))

  ;; A length of one or two bytes at $ptr, and how long that is.
  (func $length (param $ptr i32) (result i32)
    (local $first i32)
    (local.set $first (i32.load8_u (local.get $ptr)))
    (if (i32.lt_u (local.get $first) (i32.const 128)) (then (return (local.get $first))))
    (i32.or (i32.and (local.get $first) (i32.const 127))
      (i32.shl (i32.load8_u offset=1 (local.get $ptr)) (i32.const 7))))
  (func $skip (param $ptr i32) (result i32)
    (i32.add (i32.const 1) (i32.ge_u (i32.load8_u (local.get $ptr)) (i32.const 128))))

  ;; An event's id has 36 bytes, and its name follows it.
  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (local $letter i32)
    (local $round i32)
    (local.set $ptr (i32.add (local.get $ptr) (i32.const 1)))
    (local.set $ptr (i32.add (local.get $ptr) (call $skip (local.get $ptr))))
    (local.set $letter (i32.load8_u offset=40 (local.get $ptr)))
    (if (i32.eq (local.get $letter) (i32.const 0x64)) ;; d
      (then
        (if (call $new) (then (return (i64.const 0x0000004000000017))))
        (return (i64.const 0x0000002000000017))))
    (if (i32.eq (local.get $letter) (i32.const 0x72)) ;; r
      (then
        (if (call $new) (then (return (i64.const 0x0000007000000003))))
        (return (i64.const 0x0000006000000007))))
    (if (i32.eq (local.get $letter) (i32.const 0x66)) ;; f
      (then
        (if (call $new) (then (return (i64.const 0))))
        (return (i64.const 0x0000008000000006))))
    (if (i32.eq (local.get $letter) (i32.const 0x6e)) ;; n
      (then
        (if (call $new) (then (return (i64.const 0x0000009000000008))))
        (return (i64.const 0x0000008000000006))))
    (if (i32.and (call $new) (i32.eq (local.get $letter) (i32.const 0x73))) ;; s
      (then
        (loop $again
          (local.set $round (i32.add (local.get $round) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $round) (i32.const 1000))))))
    (i64.const 0))

  (global $out (mut i32) (i32.const 0))
  (func $byte (param $b i32)
    (i32.store8 (global.get $out) (local.get $b))
    (global.set $out (i32.add (global.get $out) (i32.const 1))))

  (func $result (param $index i32)
    (call $byte (i32.const 0x0a))
    (call $byte (i32.const 2))
    (call $byte (i32.const 0x08))
    (call $byte (local.get $index)))

  ;; There are less than 128 messages.
  (func (export "handle_batch") (param $ptr i32) (param $len i32) (result i64)
    (local $end i32)
    (local $tag i32)
    (local $size i32)
    (local $index i32)
    (local $more i32)
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
            (call $result (local.get $index))
            (local.set $index (i32.add (local.get $index) (i32.const 1)))))
        (local.set $ptr (i32.add (local.get $ptr) (local.get $size)))
        (br $next)))
    (local.set $more (i32.and (call $new) (i32.gt_u (local.get $index) (i32.const 2))))
    (call $byte (i32.const 0x12))
    (call $byte (i32.add (i32.const 3) (local.get $more)))
    (call $byte (i32.const 0x0a))
    (call $byte (i32.add (i32.const 1) (local.get $more)))
    (if (i32.gt_u (local.get $index) (i32.const 9)) (then (local.set $index (i32.const 9))))
    (call $byte (i32.add (i32.const 0x30) (local.get $index)))
    (if (local.get $more) (then (call $byte (i32.const 0x21))))
    (i64.or (i64.const 0x0000200000000000)
      (i64.extend_i32_u (i32.sub (global.get $out) (i32.const 8192))))))
