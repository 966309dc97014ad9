;; A guest that does what the first letter of an event's id says, where the
;; message's frame is shorter than 130 bytes:
;;
;;   t  traps                          f  fails, with a reason that forges a line
;;   x  exits                          r  routes, with a batch key
;;   s  spins                          b  answers bytes that are not UTF-8
;;   e  answers no bytes, as data      l  logs a line
;;   m  answers the message's frame    c  answers the frame of configure
;;
;; and is content with any other. A config table whose first key begins with n
;; is refused.
(module
  (import "relay_v1" "log" (func $log (param i32 i32 i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) "\10\01\1a\14no\0a2 ok batcher=evil")
  (data (i32.const 48) "\2a\04\ff\fe\00\01")
  (data (i32.const 64) "\2a\00")
  (data (i32.const 80) "\2a\05\1b[31m\32\05audit\3a\06key\0a\0ak")
  (data (i32.const 112) "a line\0aand another")
  (data (i32.const 144) "\10\01\1a\04nope")
  (global $configured (mut i32) (i32.const 0))

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 65536)) (then (return (i32.const 0))))
    (i32.const 65536))

  ;; The frame of configure is kept from 4096 on.
  (func (export "configure") (param $ptr i32) (param $len i32) (result i64)
    (memory.copy (i32.const 4096) (local.get $ptr) (local.get $len))
    (global.set $configured (local.get $len))
    (if (i32.eq (i32.load8_u (i32.const 4106)) (i32.const 0x6e)) ;; n
      (then (return (i64.const 0x0000009000000008))))
    (i64.const 0))

  ;; A result whose data are the bytes at $ptr.
  (func $answer (param $ptr i32) (param $len i32) (result i64)
    (i32.store8 (i32.const 8192) (i32.const 0x2a))
    (i32.store8 (i32.const 8193) (local.get $len))
    (memory.copy (i32.const 8194) (local.get $ptr) (local.get $len))
    (i64.or (i64.const 0x0000200000000000)
      (i64.extend_i32_u (i32.add (local.get $len) (i32.const 2)))))

  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (local $wish i32)
    (local.set $wish (i32.load8_u (i32.add (local.get $ptr) (i32.const 4))))
    (if (i32.eq (local.get $wish) (i32.const 0x74)) (then (unreachable)))
    (if (i32.eq (local.get $wish) (i32.const 0x78)) (then (call $exit (i32.const 0))))
    (if (i32.eq (local.get $wish) (i32.const 0x73)) (then (loop $forever (br $forever))))
    (if (i32.eq (local.get $wish) (i32.const 0x66)) (then (return (i64.const 0x0000001000000018))))
    (if (i32.eq (local.get $wish) (i32.const 0x62)) (then (return (i64.const 0x0000003000000006))))
    (if (i32.eq (local.get $wish) (i32.const 0x65)) (then (return (i64.const 0x0000004000000002))))
    (if (i32.eq (local.get $wish) (i32.const 0x72)) (then (return (i64.const 0x0000005000000016))))
    (if (i32.eq (local.get $wish) (i32.const 0x6c))
      (then (call $log (i32.const 1) (i32.const 112) (i32.const 18))))
    (if (i32.eq (local.get $wish) (i32.const 0x6d))
      (then (return (call $answer (local.get $ptr) (local.get $len)))))
    (if (i32.eq (local.get $wish) (i32.const 0x63))
      (then (return (call $answer (i32.const 4096) (global.get $configured)))))
    (i64.const 0)))
