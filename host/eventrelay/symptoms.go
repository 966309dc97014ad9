package eventrelay

import "google.golang.org/grpc/codes"

// symptom matches an error by its code and a text of its message.
type symptom struct {
	code codes.Code
	text string
	Diagnosis
}

// symptoms are looked through in order; an empty text matches any message.
//
// The messages are matched as text because there is nothing else: the server
// tells its refusals apart by message only, and grpc hands on the errors of the
// network and of TLS as text. Tests provoke each of them for real, so that a
// release that words one differently shows.
var symptoms = []symptom{
	// First, because a DNS server can refuse a connection too.
	{codes.Unavailable, "dial tcp: lookup", Diagnosis{
		"the server's name cannot be resolved",
		"correct host, or ask whoever runs your DNS"}},
	{codes.Unavailable, "connection refused", Diagnosis{
		"nothing listens at the server's address",
		"start the server, or correct host and port"}},
	{codes.Unavailable, "actively refused", Diagnosis{ // Windows
		"nothing listens at the server's address",
		"start the server, or correct host and port"}},
	{codes.Unavailable, "signed by unknown authority", Diagnosis{
		"the server's certificate is signed by an authority that cacertfile does not hold",
		"set cacertfile to the certificate of the authority that signed the server's"}},
	{codes.Unavailable, "certificate is not standards compliant", Diagnosis{ // macOS
		"the server's certificate is not accepted by this system", ""}},
	{codes.Unavailable, "x509: certificate has expired or is not yet valid", Diagnosis{
		"the server's certificate has expired or is not yet valid",
		"renew the server's certificate, and check both clocks"}},
	{codes.Unavailable, "doesn't contain any IP SANs", Diagnosis{
		"the server's certificate is for a name, and host is an IP address",
		"set host to a name that the certificate has, such as localhost"}},
	{codes.Unavailable, "x509: certificate is valid for", Diagnosis{
		"the server's certificate is for another name than host",
		"set host to a name that the certificate has"}},
	{codes.Unavailable, "x509: certificate is not valid for any names", Diagnosis{
		"the server's certificate is for no name at all",
		"give the server a certificate whose subject alternative names hold host"}},
	{codes.Unavailable, "tls: certificate required", Diagnosis{
		"the server wants a client certificate",
		"set certfile and keyfile"}},
	{codes.Unavailable, "tls: expired certificate", Diagnosis{
		"the server says that the client certificate has expired",
		"renew certfile, and check both clocks"}},
	{codes.Unavailable, "tls: unknown certificate authority", Diagnosis{
		"the server does not know the authority that signed the client certificate",
		"use a certfile that the server's own authority signed"}},
	{codes.Unavailable, "remote error: tls: bad certificate", Diagnosis{
		"the server does not accept the client certificate, or wants one and got none",
		"use a certfile and keyfile that the server's own authority signed"}},
	{codes.Unavailable, "tls: handshake failure", Diagnosis{
		"the server broke off the TLS handshake: it wants a client certificate, or shares no cipher",
		"set certfile and keyfile"}},
	{codes.Unavailable, "remote error: tls:", Diagnosis{
		"the server broke off the TLS handshake",
		"check certfile and keyfile, and the server's log"}},
	{codes.Unavailable, "does not look like a TLS handshake", Diagnosis{
		"the server does not speak TLS at that port",
		"correct port, or leave certfile, keyfile and cacertfile out"}},
	{codes.Unavailable, "missing selected ALPN property", Diagnosis{
		"the server speaks TLS, but not HTTP/2",
		"correct port: this is not an EventRelay server's"}},
	{codes.Unavailable, "authentication handshake failed", Diagnosis{
		"the TLS handshake failed", ""}},
	{codes.Unavailable, "error reading server preface", Diagnosis{
		"the server closed the connection before it said anything in HTTP/2",
		"if it wants TLS, set cacertfile; if it wants a client certificate, set certfile and keyfile"}},
	{codes.Unavailable, "i/o timeout", Diagnosis{
		"the server's address does not answer",
		"correct host and port, or look for a firewall in between"}},
	{codes.Unavailable, "keepalive ping failed", Diagnosis{
		"the server does not answer any more", ""}},
	{codes.Unavailable, "error while dialing", Diagnosis{
		"the server cannot be reached", "correct host and port"}},
	{codes.Unavailable, "HTTP status code", Diagnosis{
		"a proxy or gateway answers in place of the server", "this is passing as a rule"}},
	{codes.Unavailable, "", Diagnosis{
		"the connection to the server broke", "this is passing as a rule: a server that restarts"}},

	{codes.Unauthenticated, "could not find bearer token", Diagnosis{
		"the server wants a token and got none", "set token"}},
	{codes.Unauthenticated, "could not decode bearer token", Diagnosis{
		"the token is malformed", "a token is base64 of key:secret"}},
	{codes.Unauthenticated, "", Diagnosis{
		"the token is unknown to the server, or revoked",
		"make an API key of type consumer, and set token to base64 of its key:secret"}},
	{codes.PermissionDenied, "Not permitted", Diagnosis{
		"the token's key is of the wrong type",
		"a consumer key pulls, a producer key publishes"}},
	{codes.PermissionDenied, "", Diagnosis{
		"the token's key is not attached to this destination or topic",
		"attach the key with AddDestinationsToApiKey or AddTopicsToApiKey"}},

	{codes.Unknown, "malformed header", Diagnosis{
		"what answered does not speak gRPC",
		"passing if the server is starting; if it lasts, correct port"}},
	{codes.Unknown, "HTTP status code", Diagnosis{
		"what answered does not speak gRPC",
		"passing if the server is starting; if it lasts, correct port"}},
	{codes.Unknown, "Internal Server Error", Diagnosis{
		"the server failed inside",
		"if it lasts, the destination id or the topic is unknown to the server, or its database is in trouble"}},
	{codes.ResourceExhausted, "Rate limit exceeded", Diagnosis{
		"the server's rate limit is exceeded",
		"it passes by itself; a longer pull_interval or less concurrency avoids it"}},
	{codes.ResourceExhausted, "larger than max", Diagnosis{
		"a message is larger than the receiver takes", "make batches smaller"}},
	{codes.ResourceExhausted, "", Diagnosis{
		"the server has too much to do, or a message is too large", ""}},
	{codes.Unimplemented, "", Diagnosis{
		"the server does not have this call",
		"correct host and port: it is another service, or an older EventRelay"}},
	{codes.Canceled, "", Diagnosis{"the call was cancelled", ""}},
	{codes.InvalidArgument, "", Diagnosis{"the server refuses the request as invalid", ""}},
	{codes.DeadlineExceeded, "", Diagnosis{
		"the server did not answer in time",
		"pull_timeout loses the events of a pull that it cuts off; leave it out"}},
	{codes.Internal, "", Diagnosis{
		"the server broke off its answer", "this is passing as a rule: a server that restarts"}},
}
