package builder

// Artifact is for the fuzz test.
var Artifact = artifact
