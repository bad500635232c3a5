// SPDX-License-Identifier: Apache-2.0
//
// What the sticky task assignor of Apache Kafka's broker decides, for the histories of random groups: members
// come and go, lose what they have, change their process, the topology grows. One case a block of lines,
// which tests/unit/group/test_streams_assign.c reads:
//
//     case NUMBER
//     standby REPLICAS
//     topology TASKS...            of the subtopologies a, b, ...; an s behind the number: stateful
//     member ID PROCESS ACTIVE STANDBY OFFSETS
//     expect ID ACTIVE STANDBY     what each member gets
//
// Tasks are a0,b3 or -; offsets a0:17,b3:5 or -.
// The assignor goes through hash maps, so its result depends on the order of hashes. Ids here are single
// characters whose hashes are in the order of the characters, at most 16 in a process; then that order is
// the order of ids.
// TaskAssignments SEED CASES

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.coordinator.group.api.streams.assignor.GroupAssignment;
import org.apache.kafka.coordinator.group.api.streams.assignor.MemberAssignment;
import org.apache.kafka.coordinator.group.api.streams.assignor.TopologyDescriber;
import org.apache.kafka.coordinator.group.streams.assignor.AssignmentConfigsImpl;
import org.apache.kafka.coordinator.group.streams.assignor.GroupSpecImpl;
import org.apache.kafka.coordinator.group.streams.assignor.MemberMetadataAndStateImpl;
import org.apache.kafka.coordinator.group.streams.assignor.StickyTaskAssignor;

public class TaskAssignments {
    static final char FIRST_ID = '@';
    static final int STEPS = 6; // of a group's history

    static class Topology implements TopologyDescriber {
        final List<Integer> sizes = new ArrayList<>();
        final List<Boolean> stateful = new ArrayList<>();

        public List<String> subtopologies() {
            List<String> ids = new ArrayList<>();
            for (int i = 0; i < sizes.size(); i++)
                ids.add(String.valueOf((char) ('a' + i)));
            return ids;
        }

        public int maxNumInputPartitions(String id) {
            return sizes.get(id.charAt(0) - 'a');
        }

        public boolean isStateful(String id) {
            return stateful.get(id.charAt(0) - 'a');
        }
    }

    static class Member {
        int process;
        Map<String, Set<Integer>> active = new TreeMap<>(), standby = new TreeMap<>();
        Map<String, Map<Integer, Long>> offsets = new TreeMap<>();
    }

    final Random random;
    final Topology topology = new Topology();
    final TreeMap<String, Member> members = new TreeMap<>();
    final boolean singles; // every member is a process of its own, and there may be many
    final int standby;

    TaskAssignments(Random random) {
        this.random = random;
        singles = random.nextInt(4) == 0;
        standby = random.nextInt(3);
        for (int i = 1 + random.nextInt(4); i > 0; i--)
            grow();
        for (int i = 1 + random.nextInt(singles ? 30 : 8); i > 0; i--)
            join();
    }

    void grow() {
        topology.sizes.add(random.nextInt(5) == 0 ? random.nextInt(40) : random.nextInt(10));
        topology.stateful.add(random.nextInt(3) > 0);
    }

    void join() {
        for (int i = 0; i < (singles ? 40 : 16); i++) {
            String id = String.valueOf((char) (FIRST_ID + random.nextInt(singles ? 40 : 16)));
            if (!members.containsKey(id)) {
                Member m = new Member();
                m.process = random.nextInt(5);
                members.put(id, m);
                return;
            }
        }
    }

    String someMember() {
        return new ArrayList<>(members.keySet()).get(random.nextInt(members.size()));
    }

    // Offsets of some tasks, of tasks that the member has or of any.
    void tell(Member m) {
        m.offsets.clear();
        for (String id : topology.subtopologies())
            for (int p = 0; p < topology.maxNumInputPartitions(id); p++) {
                boolean has = m.standby.getOrDefault(id, Set.of()).contains(p);
                if (random.nextInt(has ? 2 : 8) == 0)
                    m.offsets.computeIfAbsent(id, x -> new TreeMap<>()).put(p, (long) random.nextInt(4) * 10);
            }
    }

    void change() {
        for (int i = random.nextInt(3); i >= 0; i--) {
            int what = random.nextInt(10);
            if (what < 3)
                join();
            else if (what < 6 && members.size() > 1)
                members.remove(someMember());
            else if (what < 7)
                tell(members.get(someMember()));
            else if (what < 8) { // it has forgotten everything
                Member m = members.get(someMember());
                m.active = new TreeMap<>();
                m.standby = new TreeMap<>();
                tell(m);
            } else if (what < 9 && topology.sizes.size() < 6)
                grow();
            else
                members.get(someMember()).process = random.nextInt(5);
        }
    }

    // Numbers in the order of the first member of each.
    Map<String, String> processIds() {
        Map<Integer, Integer> numbers = new TreeMap<>();
        for (Member m : members.values())
            numbers.putIfAbsent(m.process, numbers.size());
        Map<String, String> ids = new TreeMap<>();
        int next = 0;
        for (Map.Entry<String, Member> e : members.entrySet())
            ids.put(e.getKey(), String.valueOf(
                (char) (FIRST_ID + (singles ? next++ : numbers.get(e.getValue().process)))));
        return ids;
    }

    static String tasks(Map<String, Set<Integer>> tasks) {
        String text = new TreeMap<>(tasks).entrySet().stream()
            .flatMap(e -> new TreeSet<>(e.getValue()).stream().map(p -> e.getKey() + p))
            .collect(Collectors.joining(","));
        return text.isEmpty() ? "-" : text;
    }

    static String offsets(Map<String, Map<Integer, Long>> offsets) {
        String text = offsets.entrySet().stream()
            .flatMap(e -> e.getValue().entrySet().stream()
                .map(o -> e.getKey() + o.getKey() + ":" + o.getValue()))
            .collect(Collectors.joining(","));
        return text.isEmpty() ? "-" : text;
    }

    void decide(int number) {
        Map<String, String> processes = processIds();
        Map<String, MemberMetadataAndStateImpl> specs = new TreeMap<>();
        StringBuilder sizes = new StringBuilder();
        for (int i = 0; i < topology.sizes.size(); i++)
            sizes.append(" ").append(topology.sizes.get(i)).append(topology.stateful.get(i) ? "s" : "");
        System.out.println("case " + number + "\nstandby " + standby + "\ntopology" + sizes);
        members.forEach((id, m) -> {
            System.out.println("member " + id + " " + processes.get(id) + " " + tasks(m.active) + " "
                + tasks(m.standby) + " " + offsets(m.offsets));
            specs.put(id, new MemberMetadataAndStateImpl(Optional.empty(), Optional.empty(),
                processes.get(id), Map.of(), m.active, m.standby, Map.of(), m.offsets, Map.of()));
        });
        GroupSpecImpl spec = new GroupSpecImpl(specs, new AssignmentConfigsImpl(standby, List.of()));
        if (!List.copyOf(spec.memberIds()).equals(List.copyOf(members.keySet())))
            throw new IllegalStateException("the members are in another order");
        GroupAssignment result = new StickyTaskAssignor().assign(spec, topology);
        members.forEach((id, m) -> {
            MemberAssignment got = result.members().get(id);
            System.out.println("expect " + id + " " + tasks(got.activeTasks()) + " "
                + tasks(got.standbyTasks()));
            m.active = new TreeMap<>(got.activeTasks());
            m.standby = new TreeMap<>(got.standbyTasks());
        });
    }

    public static void main(String[] args) {
        Random random = new Random(Long.parseLong(args[0]));
        int cases = Integer.parseInt(args[1]);
        TaskAssignments group = null;
        for (int i = 0; i < cases; i++) {
            if (i % STEPS == 0)
                group = new TaskAssignments(random);
            else
                group.change();
            group.decide(i);
        }
    }
}
