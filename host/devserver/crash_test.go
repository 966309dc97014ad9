package devserver_test

const childDir = "DEVSERVER_TEST_CHILD_DIR"

func serveUntilKilled(dir string) {}
