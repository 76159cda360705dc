package stream

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
)

// leaveTimeout bounds how long a stop waits for the group to let the member go.
const leaveTimeout = 5 * time.Second

// leaveGroup ends the step's membership, so that others take its partitions over at
// once. The client does not: a static member that is closed may come back, and
// Kafka keeps its partitions for the session timeout. It is called when the client
// is closed, else that would join again; and with the member's id, so that a
// successor of the same instance id stays.
func (s *Step) leaveGroup(ctx context.Context, member string) {
	if member == "" {
		return // it never was one
	}
	cl, err := NewClient(s.o.Cluster, "leave", nil, nil)
	if err != nil {
		return // it was possible before, with the same settings
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = s.group
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID, m.InstanceID = member, &s.o.InstanceID
	req.Members = append(req.Members, m)
	resp, err := req.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	for i := 0; err == nil && i < len(resp.Members); i++ {
		err = kerr.ErrorForCode(resp.Members[i].ErrorCode)
	}
	if err != nil { // its partitions wait for the session timeout then
		s.log.Debug("leaving the group", zap.Error(err))
	}
}
