package devserver_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/relayhost/relayhost/host/devserver"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func TestTopicNames(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	create := func(name string) error {
		_, err := b.topics.CreateTopic(b.admin(t), &pb.CreateTopicRequest{Name: name})
		return err
	}
	for _, c := range []struct {
		name    string
		code    codes.Code
		message string
	}{
		{"users", codes.OK, ""},
		{"users", codes.AlreadyExists, "Topic already exists"},
		{"", codes.InvalidArgument, "Name can't be blank"},
		{" ", codes.InvalidArgument, "Name can't be blank"},
		{strings.Repeat("a", 45), codes.OK, ""},
		{strings.Repeat("a", 46), codes.InvalidArgument, "Name should be at most 45 character(s)"},
		{"users:7", codes.InvalidArgument, "Name has invalid format"},
		{"a b", codes.InvalidArgument, "Name has invalid format"},
		{"a\x00b", codes.InvalidArgument, "Name has invalid format"},
	} {
		wantStatus(t, create(c.name), c.code, c.message)
	}
}

func TestDeleteTopic(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	queue := b.topicAndQueue(t, "users")
	b.publish(t, "users", 2)
	producer := must(t)(b.CreateProducerKey("users"))
	list, err := b.topics.ListTopics(b.admin(t), &pb.ListTopicsRequest{})
	if err != nil || len(list.GetTopics()) != 1 {
		t.Fatalf("got %v, %v", list, err)
	}
	remove := func(id string) error {
		_, err := b.topics.DeleteTopic(b.admin(t), &pb.DeleteTopicRequest{Id: id})
		return err
	}
	id := list.GetTopics()[0].GetId()
	wantStatus(t, remove("x"), codes.NotFound, "Topic not found")
	wantStatus(t, remove(id), codes.FailedPrecondition, "Topic has destinations")
	if _, err := b.destinations.DeleteDestination(b.admin(t), &pb.DeleteDestinationRequest{Id: queue}); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, remove(id), codes.OK, "")
	wantStatus(t, remove(id), codes.NotFound, "Topic not found")

	// The next topic of that name is another one.
	if got := b.pull(t, b.topicAndQueue(t, "users"), 0); len(got) > 0 {
		t.Errorf("a new topic has the old one's events %q", got)
	}
	_, err = b.events.PublishEvents(withToken(t, producer), &pb.PublishEventsRequest{Topic: "users"})
	wantStatus(t, err, codes.PermissionDenied, "")
}

func TestDestinations(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	if err := b.CreateTopic("users"); err != nil {
		t.Fatal(err)
	}
	create := func(r *pb.CreateDestinationRequest) (*pb.Destination, error) {
		resp, err := b.destinations.CreateDestination(b.admin(t), r)
		return resp.GetDestination(), err
	}
	made, err := create(&pb.CreateDestinationRequest{
		Name: "host", TopicName: "users", TopicIdentifier: "7", DestinationType: "api",
		Config: map[string]string{"a": "b"}, GroupKey: "g",
	})
	if err != nil {
		t.Fatal(err)
	}
	if made.GetId() == "" || made.GetTopicIdentifier() != "7" || made.GetConfig()["a"] != "b" || made.GetGroupKey() != "g" {
		t.Errorf("made %v", made)
	}
	for message, r := range map[string]*pb.CreateDestinationRequest{
		"Name can't be blank":                     {TopicName: "users", DestinationType: "api"},
		"Name should be at least 3 character(s)":  {Name: "ab", TopicName: "users", DestinationType: "api"},
		"Name should be at most 255 character(s)": {Name: strings.Repeat("a", 256), TopicName: "users", DestinationType: "api"},
		"Topic name can't be blank":               {Name: "abc", DestinationType: "api"},
		"Topic does not exist":                    {Name: "abc", TopicName: "nope", DestinationType: "api"},
		"Destination type can't be blank":         {Name: "abc", TopicName: "users"},
		"Destination type is invalid":             {Name: "abc", TopicName: "users", DestinationType: "fax"},
	} {
		_, err := create(r)
		wantStatus(t, err, codes.InvalidArgument, message)
	}
	_, err = create(&pb.CreateDestinationRequest{Name: "host", TopicName: "users", DestinationType: "api"})
	wantStatus(t, err, codes.AlreadyExists, "Destination with that name already exists")

	got, err := b.destinations.GetDestination(b.admin(t), &pb.GetDestinationRequest{Id: made.GetId()})
	if err != nil || got.GetDestination().GetName() != "host" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := b.destinations.DeleteDestination(b.admin(t), &pb.DeleteDestinationRequest{Id: made.GetId()}); err != nil {
		t.Error(err)
	}
	_, err = b.destinations.GetDestination(b.admin(t), &pb.GetDestinationRequest{Id: made.GetId()})
	wantStatus(t, err, codes.NotFound, "Destination not found")
	_, err = b.destinations.DeleteDestination(b.admin(t), &pb.DeleteDestinationRequest{Id: made.GetId()})
	wantStatus(t, err, codes.NotFound, "Destination not found")
}

func TestListDestinations(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	if err := b.CreateTopic("users"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two", "three", "four", "five"} {
		must(t)(b.CreateDestination(devserver.Destination{Name: name, Topic: "users"}))
	}
	for _, c := range []struct {
		page, size            int32
		want                  []string
		next, previous, pages int32
	}{
		{0, 0, []string{"one", "two", "three", "four", "five"}, 0, 0, 1},
		{1, 2, []string{"one", "two"}, 2, 0, 3},
		{2, 2, []string{"three", "four"}, 3, 1, 3},
		{3, 2, []string{"five"}, 0, 2, 3},
		{4, 2, nil, 0, 3, 3},
		{1 << 30, 1 << 30, nil, 0, 1<<30 - 1, 1},
	} {
		r, err := b.destinations.ListDestinations(b.admin(t), &pb.ListDestinationsRequest{Page: c.page, PageSize: c.size})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range r.GetDestinations() {
			got = append(got, d.GetName())
		}
		if !slices.Equal(got, c.want) || r.GetTotalCount() != 5 || r.GetNextPage() != c.next ||
			r.GetPreviousPage() != c.previous || r.GetTotalPages() != c.pages {
			t.Errorf("page %d of %d: got %v", c.page, c.size, r)
		}
	}
	_, err := b.destinations.ListDestinations(b.admin(t), &pb.ListDestinationsRequest{Page: -1})
	wantInternal(t, err)
}

func TestGrants(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	queue := b.topicAndQueue(t, "users")
	producer, producerID := newKey(t, b, pb.ApiKeyType_PRODUCER)
	_, consumerID := newKey(t, b, pb.ApiKeyType_CONSUMER)
	addTopics := func(id string, names ...string) ([]string, error) {
		r, err := b.keys.AddTopicsToApiKey(b.admin(t), &pb.AddTopicsToApiKeyRequest{Id: id, TopicNames: names})
		return r.GetTopicNames(), err
	}
	addDestinations := func(id string, ids ...string) ([]string, error) {
		r, err := b.keys.AddDestinationsToApiKey(b.admin(t), &pb.AddDestinationsToApiKeyRequest{Id: id, DestinationIds: ids})
		return r.GetDestinationIds(), err
	}
	if got, err := addTopics(producerID, "users", "nope", "users"); err != nil || !slices.Equal(got, []string{"users"}) {
		t.Errorf("added %q, %v", got, err)
	}
	if got, err := addDestinations(consumerID, queue, "nope"); err != nil || !slices.Equal(got, []string{queue}) {
		t.Errorf("added %q, %v", got, err)
	}
	_, err := addTopics(consumerID, "users")
	wantStatus(t, err, codes.FailedPrecondition, "ApiKey is not of type producer")
	_, err = addDestinations(producerID, queue)
	wantStatus(t, err, codes.FailedPrecondition, "ApiKey is not of type consumer")
	_, err = addTopics("x", "users")
	wantStatus(t, err, codes.NotFound, "ApiKey not found")

	removed, err := b.keys.DeleteTopicsFromApiKey(b.admin(t), &pb.DeleteTopicsFromApiKeyRequest{Id: producerID, TopicNames: []string{"users", "nope"}})
	if err != nil || !slices.Equal(removed.GetTopicNames(), []string{"users"}) {
		t.Errorf("removed %v, %v", removed, err)
	}
	_, err = b.events.PublishEvents(withToken(t, producer), &pb.PublishEventsRequest{Topic: "users"})
	wantStatus(t, err, codes.PermissionDenied, "")
	gone, err := b.keys.DeleteDestinationsFromApiKey(b.admin(t), &pb.DeleteDestinationsFromApiKeyRequest{Id: consumerID, DestinationIds: []string{queue}})
	if err != nil || !slices.Equal(gone.GetDestinationIds(), []string{queue}) {
		t.Errorf("removed %v, %v", gone, err)
	}

	if _, err := b.keys.RevokeApiKey(b.admin(t), &pb.RevokeApiKeyRequest{Id: producerID}); err != nil {
		t.Fatal(err)
	}
	_, err = addTopics(producerID, "users")
	wantStatus(t, err, codes.FailedPrecondition, "ApiKey is revoked")
	_, err = b.keys.CreateApiKey(b.admin(t), &pb.CreateApiKeyRequest{Type: 7})
	wantStatus(t, err, codes.InvalidArgument, "Type is invalid")
}

func TestProvisioningErrors(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	wantStatus(t, b.CreateTopic(""), codes.InvalidArgument, "Name can't be blank")
	if token, err := b.CreateProducerKey("nope"); err == nil || token != "" {
		t.Error("a key for a topic that does not exist was made")
	}
	if token, err := b.CreateConsumerKey("nope"); err == nil || token != "" {
		t.Error("a key for a destination that does not exist was made")
	}
	if _, err := b.CreateDestination(devserver.Destination{Name: "abc", Topic: "nope"}); err == nil {
		t.Error("a destination on a topic that does not exist was made")
	}
}

func TestMetricsAreUnimplemented(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	_, err := pb.NewMetricsClient(b.conn).ListMetrics(b.admin(t), &pb.ListMetricsRequest{})
	wantStatus(t, err, codes.Unimplemented, "")
}

func TestJWTIsSignedWithTheCallersSecret(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	queue := b.topicAndQueue(t, "users")
	token := must(t)(b.CreateConsumerKey(queue))
	r, err := pb.NewJWTClient(b.conn).CreateJWT(withToken(t, token), &pb.CreateJWTRequest{Expiration: 2_000_000_000})
	if err != nil {
		t.Fatal(err)
	}
	signed, signature, _ := cutLast(r.GetJwt(), ".")
	text, _ := base64.StdEncoding.DecodeString(token)
	_, secret, _ := strings.Cut(string(text), ":")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	if want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); signature != want {
		t.Errorf("signature %s, want %s", signature, want)
	}
	_, payload, _ := strings.Cut(signed, ".")
	claims, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	var c struct{ Exp int64 }
	if err := json.Unmarshal(claims, &c); err != nil || c.Exp != 2_000_000_000 {
		t.Errorf("claims %s, %v", claims, err)
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
