;; wat2wasm: --no-check
;; Its code sets the local behind its last one, where the meter keeps the count.
;; Must happen: the module is refused.
(module
  (memory (export "memory") 2)
  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0))
  (func (export "x") (local.set 0 (i64.const 0x7fffffffffffffff))))
