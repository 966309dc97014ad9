package config_test

// faulty is files and what is said about them, to the letter.
var faulty = []struct{ name, doc, want string }{
}
