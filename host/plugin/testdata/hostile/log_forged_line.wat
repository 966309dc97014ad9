;; It logs a text that looks like a line of the host's, with line breaks,
;; terminal sequences and a change of direction.
;; Must happen: the text comes out escaped, on one line.
(module
  (import "relay_v1" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 2)
  (data (i32.const 512) "hello\0d\0atime=2026-01-01T00:00:00Z level=ERROR msg=\"forged by a guest\"\1b[2J\e2\80\aexyz\00\ff")

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (call $log (i32.const 1) (i32.const 512) (i32.const 86))
    (i64.const 0)))
