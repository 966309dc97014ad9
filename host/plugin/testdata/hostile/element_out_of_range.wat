;; An element segment does not fit its table.
;; Must happen: nothing comes of it: the table stays empty, as the engine leaves
;; it.
(module
  (memory (export "memory") 2)
  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0))
  (table 1 funcref)
  (elem (i32.const 1000000) func 0))
