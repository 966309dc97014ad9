package main

import (
	"os"
	"path"
	"path/filepath"
	"strconv"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// sampleFile reports whether a file below a plugin's folder has events for it.
func sampleFile(below string) bool {
	return below == "events.json" || path.Dir(below) == "testdata" && path.Ext(below) == ".json"
}

// sampleFiles are the files of events in a plugin's folder, or beside its file.
func sampleFiles(plugin string) []string {
	if !isDirectory(plugin) {
		plugin = filepath.Dir(plugin)
	}
	file := filepath.Join(plugin, "events.json")
	if _, err := os.Stat(file); err == nil {
		return []string{file}
	}
	var files []string
	entries, _ := os.ReadDir(filepath.Join(plugin, "testdata"))
	for _, e := range entries {
		if !e.IsDir() && sampleFile("testdata/"+e.Name()) {
			files = append(files, filepath.Join(plugin, "testdata", e.Name()))
		}
	}
	return files
}

// sampleEvents are the guide's, as a server would hand them out.
func sampleEvents() (events []*pb.Event) {
	for i, e := range guideEvents() {
		events = append(events, &pb.Event{
			Id: "sample-" + strconv.Itoa(i+1), Name: e.GetName(), Source: e.GetSource(), Data: e.GetData(), Context: e.GetContext(),
		})
	}
	return events
}
