;; It fails with a reason that holds a line break, terminal sequences and a
;; change of direction.
;; Must happen: the message fails with the reason on one line, escaped.
(module
  (memory (export "memory") 2)
  (data (i32.const 512) "\10\01\1a\27\n\1b[2Jtime=now level=INFO msg=ok\e2\80\aetsrif")

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (i64.const 0x000002000000002b)))
