"""The sentences of a resident's own pages in each language. Shipped, to be read by those they address."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "title": ("My entry in the register", "我的登记"),
    "promise": (
        "Registering helps us try to reach you. It is not a promise of rescue. In danger, go, or call {hotline}.",
        "登记是为了让我们尽量找到您,并不保证一定有人来救。有危险,马上走,或者打{hotline}。",
    ),
    "never": (
        "It is never used for benefits, tenancy, licences, police or immigration.",
        "登记从不用于补贴、租房、执照、警务或出入境。",
    ),
    "sign_in": ("Sign in with your phone", "用手机登录"),
    "no_phone": (
        "No phone, or a phone that somebody else may read? Call {hotline} or ask your community officer.",
        "没有手机,或手机会被别人看到?请打{hotline},或找社区工作人员。",
    ),
    "ask_number": ("What is your phone number?", "您的手机号码是多少?"),
    "number_hint": ("With + and country code, for example +86 138 0000 0000.", "带+和国家代码,如+86 138 0000 0000。"),
    "send_code": ("Send me a code", "发验证码"),
    "ask_code": ("What is the code?", "验证码是多少?"),
    "code_hint": (
        (
            "If this number is in the register, a code of six digits is on its way. It works for 10 minutes. "
            "Nothing after 3 minutes? Call {hotline}."
        ),
        "如果这个号码已登记,六位验证码正在路上,10分钟内有效。3分钟没收到?请打{hotline}。",
    ),
    "code_wrong": (
        "That did not work: the code is wrong, too old, or was tried too often. Type it again, or ask for a new one.",
        "没有成功:验证码不对、已过期或试得太多。请重输,或重新要一个。",
    ),
    "number_wrong": (
        "That is no phone number. Type it with + and the country code.",
        "这不是电话号码。请带+和国家代码输入。",
    ),
    "again": ("Ask for a new code", "重新要验证码"),
    "go_on": ("Go on", "继续"),
    "who": ("For whom do you come?", "您为谁而来?"),
    "who_self": ("For myself, {mask}", "为我自己,{mask}"),
    "who_guardian": ("As guardian of {mask}", "我是{mask}的监护人"),
    "who_helper": ("As a helper of {mask}", "我是{mask}的帮助人"),
    "who_hint": ("Only the first letter of each name is shown.", "只显示姓名的第一个字。"),
    "birth": ("In which year were you born?", "您是哪一年出生的?"),
    "birth_hint": (
        "This number came to us from a list. The question keeps your entry from a stranger with your old number.",
        "这个号码是名单给我们的。问这个,是防止拿到您旧号码的生人看到您的登记。",
    ),
    "birth_wrong": (
        "That is not what the register has. Call {hotline} if it is wrong there.",
        "和登记的不一样。登记有误请打{hotline}。",
    ),
    "not_proven": ("We must know you first", "先要确认是您"),
    "not_proven_text": (
        "This number came from a list and nobody has verified it. Call {hotline} or ask your community officer; bring nothing.",
        "这个号码来自名单,还没有核实。请打{hotline},或找社区工作人员,不用带东西。",
    ),
    "home": ("What would you like to do?", "您想做什么?"),
    "home_for": ("You act as guardian of {mask}.", "您是{mask}的监护人。"),
    "stored": ("See all that is stored about me", "看登记了我的什么"),
    "looks": ("See who looked", "看谁查过我"),
    "channels": ("Choose how I am warned, and test it", "选择怎样通知我,并测试"),
    "away": ("Say that I am away", "我不在家"),
    "plan": ("My plan: who comes, what they bring, where I go", "我的计划:谁来、带什么、去哪里"),
    "helpers": ("My helpers", "我的帮助人"),
    "purposes": ("Limit what it is used for", "限制用途"),
    "not_mine": ("This is not my number", "这不是我的号码"),
    "withdraw": ("Withdraw", "退出登记"),
    "out": ("Sign out", "退出登录"),
    "back": ("Back", "返回"),
    "change": ("Change", "修改"),
    "change_what": ("Change: {what}", "修改:{what}"),
    "add_fact": ("Something is missing: answer a question", "还缺什么?回答一个问题"),
    "said_by": ("{source}, {on}", "{source},{on}"),
    "contacts": ("Numbers and addresses (only their end is shown)", "号码和邮箱(只显示末尾)"),
    "no_contacts": ("None. In a warning somebody comes to your door.", "没有。有预警时会有人上门。"),
    "consents": ("What you agreed to", "您同意的用途"),
    "saved": ("Saved.", "已保存。"),
    "save": ("Save", "保存"),
    "kept_other": (
        "Kept, and shown to the register's office beside what another source says.",
        "已记下,会和另一来源的说法一起给登记处看。",
    ),
    "looks_none": ("Nobody has looked at your entry.", "没有人查过您的登记。"),
    "looks_hint": ("Every look is written down before anything is shown.", "每次查看都先记录,后显示。"),
    "look_listed": ("saw you in a list (masked)", "在名单里看到您(已遮盖)"),
    "look_look": ("looked at your page (masked)", "看了您的页面(已遮盖)"),
    "look_open": ("opened your name, address and numbers", "打开了您的姓名、住址和号码"),
    "look_path": ("looked how far a warning to you had come", "查看了通知您的进展"),
    "look_list": ("opened a list of doors with yours on it", "打开了有您家的入户名单"),
    "look_revise": ("changed your entry", "修改了您的登记"),
    "look_emergency": ("during an emergency unlock", "紧急解锁期间"),
    "role_office": ("The duty office", "值班室"),
    "role_officer": ("A community officer", "社区工作人员"),
    "role_guardian": ("Your guardian", "您的监护人"),
    "role_supporter": ("A helper", "帮助人"),
    "role_list": ("The register's office, from a list", "登记处(名单)"),
    "why": ("Reason: {reason}", "原因:{reason}"),
    "channels_hint": (
        "They are tried in this order. Say no to one, and it is never used. With none left, somebody comes to your door.",
        "按这个顺序试。您说不要的,就不会用。一个也没有时,会有人上门。",
    ),
    "device": ("Messages on this device", "在这台设备上收消息"),
    "device_hint": (
        (
            "A warning appears on this device's screen, also when it is locked: whoever holds it can read it. Messages go to "
            "one device, the last one chosen. It needs internet and may come late: keep your other channels."
        ),
        "预警会显示在这台设备的屏幕上,锁屏时也会:拿着它的人都能看到。消息只发到一台设备,就是最后选的那台。它要上网,可能会迟到,所以别的方式也请保留。",
    ),
    "device_yes": ("Send messages to this device", "发到这台设备"),
    "device_busy": ("Your browser may ask you: allow messages.", "浏览器可能会问您,请允许通知。"),
    "device_is": (
        "A device of yours gets messages. Test it on the page of your channels.",
        "您有一台设备会收到消息,可以在通知方式的页面上测试。",
    ),
    "device_stop": ("No more messages on a device", "不再发到设备"),
    "device_off": (
        "This is not offered here. Your other channels stay as they are.",
        "这里没有这项服务。其他方式不变。",
    ),
    "device_no_script": (
        "Your browser runs no script here, and this works only with one. Your other channels stay as they are.",
        "您的浏览器不运行脚本,而这项服务需要脚本。其他方式不变。",
    ),
    "device_unable": (
        "This browser cannot get messages. Your other channels stay as they are.",
        "这个浏览器收不了消息。其他方式不变。",
    ),
    "device_denied": (
        "Your browser was told not to allow messages from here. Allow them in its settings, then open this page again.",
        "浏览器设成了不允许本站通知。请在设置里允许,再打开本页。",
    ),
    "device_failed": (
        "It did not work just now. Try again later. Your other channels stay as they are.",
        "刚才没有成功,请稍后再试。其他方式不变。",
    ),
    "device_wrong": ("This device could not be added.", "没能加上这台设备。"),
    "channel_no": ("Do not use it", "不要用"),
    "channel_yes": ("Use it", "要用"),
    "channel_up": ("Try it earlier", "往前排"),
    "channel_test": ("Test it now", "现在测试"),
    "channel_never": ("not used: you said no", "不用:您说不要"),
    "channel_unverified": ("not used yet: it was never verified", "还不用:没有核实"),
    "channel_unsafe": ("not used: only safe numbers are", "不用:只用安全的号码"),
    "test_sent": (
        "The test is on its way. Look at your phone, then open this page again.",
        "测试已发出。请看手机,再打开本页。",
    ),
    "test_last": ("Last test {at}: {state}", "上次测试{at}:{state}"),
    "state_waiting": ("on its way", "在路上"),
    "state_accepted": ("handed to the network, no receipt yet", "已交给运营商,还没有回执"),
    "state_delivered": ("it arrived", "已送到"),
    "state_failed": ("it did not arrive: check the number", "没有送到,请检查号码"),
    "no_test": (
        "No test: you said that no test message may be sent, or that only safe numbers are used.",
        "不测试:您说过不要测试信息,或只用安全的号码。",
    ),
    "test_budget": ("Five tests a day are enough: try again tomorrow.", "一天最多测试五次,请明天再试。"),
    "away_ask": ("Until when are you away?", "您到哪天不在家?"),
    "away_hint": (
        (
            "The last day you are away. Your phone is still warned, and your home too if others live there. "
            "Leave it empty if you are back."
        ),
        "不在家的最后一天。您的手机仍会收到预警;家里有别人,家里也会通知。已经回来就留空。",
    ),
    "away_wrong": ("Choose a day from today on, at most a year ahead.", "请选今天或以后的日子,一年以内。"),
    "away_now": ("You are away until {until}.", "您到{until}不在家。"),
    "plan_who": ("Who comes", "谁来"),
    "plan_bring": ("What they bring and know", "带什么、知道什么"),
    "plan_where": ("Where I go", "我去哪里"),
    "plan_officer": (
        "A community officer of your area, if nothing else reaches you and it is safe to send somebody.",
        "如果别的都联系不上您,又能安全派人,会有社区工作人员来。",
    ),
    "plan_nobody": ("You have named no helper yet.", "您还没有帮助人。"),
    "plan_nothing": ("Nothing special is known. Tell us what you need.", "没有特别的。需要什么请告诉我们。"),
    "plan_place": (
        "{name}, {address}. {route} Go there only if the warning says that it is open.",
        "{name},{address}。{route}预警里说开放才去。",
    ),
    "plan_no_place": (
        "No place that suits you is in the register. The warning says where to go.",
        "登记里没有适合您的地方。去哪里看预警。",
    ),
    "can_relay": ("passes the warning on", "传话"),
    "can_wake": ("wakes you", "叫醒您"),
    "can_interpret": ("interprets", "翻译"),
    "can_carry": ("carries you", "抬您"),
    "can_drive": ("drives you", "开车送您"),
    "can_key": ("has a key", "有钥匙"),
    "helper_yes": ("agreed on {on}", "{on}已同意"),
    "helper_wait": ("was asked and has not agreed yet", "已问,还没有同意"),
    "helper_drop": ("Take {mask} off", "去掉{mask}"),
    "helper_add": ("Add a helper", "添加帮助人"),
    "helpers_hint": (
        (
            "A helper is phoned when you are warned. We ask them first; until they say yes they are not used. "
            "They never see your address here."
        ),
        "有预警时我们也通知帮助人。我们先问他,他同意后才算。他在这里看不到您的住址。",
    ),
    "ask_helper_name": ("What is your helper's name?", "帮助人叫什么?"),
    "ask_helper_number": ("What is your helper's phone number?", "帮助人的手机号码是多少?"),
    "ask_helper_relation": ("Who is it?", "他是您的什么人?"),
    "ask_helper_place": ("Where does your helper live?", "帮助人住在哪里?"),
    "helper_near": ("Near me: the same flood or fire may reach them", "在我附近,同样的危险会到他那里"),
    "helper_far": ("Farther away", "住得远一些"),
    "rel_family": ("Family", "家人"),
    "rel_neighbour": ("A neighbour", "邻居"),
    "rel_paid_carer": ("A carer", "护工"),
    "rel_guardian": ("A guardian", "监护人"),
    "rel_peer": ("A friend", "朋友"),
    "rel_assigned_volunteer": ("A volunteer", "志愿者"),
    "invited": ("We ask your helper by SMS. Tell them that it is from you.", "我们会发短信问他。请告诉他是您请的。"),
    "invite_budget": ("Five people a day are enough: try again tomorrow.", "一天最多问五个人,请明天再试。"),
    "invite_wrong": (
        "That number cannot be asked: give a mobile number of this country.",
        "这个号码不能问,请给本国手机号码。",
    ),
    "help_title": ("Would you help {mask} in an emergency?", "您愿意在紧急时帮助{mask}吗?"),
    "help_text": (
        (
            "Somebody you know, whose name begins so, named you. In a warning you get a text of your own, phone first, and tell "
            "us by one digit. You need not go into danger. You can stop at any time."
        ),
        "您认识的人(姓名以此开头)请您帮助。有预警时您会收到短信,先打电话,再回一个数字告诉我们。不用去危险的地方。随时可以不当。",
    ),
    "help_yes": ("Yes, I will help", "愿意"),
    "help_no": ("No", "不愿意"),
    "help_done_yes": ("Thank you. You are a helper now.", "谢谢,您现在是帮助人了。"),
    "help_done_no": ("Noted. You are not a helper. Nobody is told why.", "已记下,您不是帮助人。不会告诉别人原因。"),
    "help_gone": (
        "This invitation is not open any more: they took it back, or it is older than a week. Ask them for a new one.",
        "这个邀请已失效:对方收回了,或已超过一周。请让对方重新邀请。",
    ),
    "help_is": ("You are a helper of {mask}.", "您是{mask}的帮助人。"),
    "help_stop": ("Stop being a helper", "不再当帮助人"),
    "purposes_hint": (
        "Choose for each. Whatever you choose, warnings to everybody still reach you.",
        "每一项您都可以选。怎样选,发给所有人的预警都会到您那里。",
    ),
    "p_share_officer_peacetime": (
        "Community officers may know of me in quiet times too",
        "平时社区工作人员也可以知道我",
    ),
    "p_share_supporter_peacetime": (
        "My helpers may know what I need in quiet times too",
        "平时帮助人也可以知道我的需要",
    ),
    "p_drill": ("I take part in drills", "我参加演练"),
    "p_statistics": ("I am counted in statistics, without my name", "我计入统计,不带姓名"),
    "p_emergency_share": ("In an emergency, who helps may know where I am", "紧急时,救援的人可以知道我在哪里"),
    "given": ("Yes", "同意"),
    "refused": ("No", "不同意"),
    "withdrawn": ("No (withdrawn)", "不同意(已撤回)"),
    "not_asked": ("Nobody has asked you", "没有问过您"),
    "not_mine_ask": ("Is this phone not yours?", "这不是您的手机吗?"),
    "not_mine_text": (
        "We will never use this number for that person again, and you are signed out. Nothing is shown to you.",
        "我们不会再用这个号码联系那个人,您会退出登录,不会显示任何内容。",
    ),
    "not_mine_yes": ("It is not mine: take it off", "不是我的,去掉"),
    "not_mine_done": ("Taken off. Thank you.", "已去掉,谢谢。"),
    "withdraw_ask": ("Withdraw from the register?", "退出登记吗?"),
    "withdraw_text": (
        (
            "Deleted now: your name, address, numbers, helpers and answers. Kept: that an entry was withdrawn, and the log of "
            "who looked. Warnings to everybody (sirens, phones in the area, radio, television) still reach you; nobody comes to "
            "your door because of the register any more. Your helpers are not told."
        ),
        (
            "现在删除:姓名、住址、号码、帮助人和回答。保留:曾经退出的记录,以及谁查过。发给所有人的预警(警报、区域短信、广播、电视)"
            "仍会到您那里;不会再因登记而有人上门。不会告诉您的帮助人。"
        ),
    ),
    "withdraw_yes": ("Withdraw and delete", "退出并删除"),
    "withdraw_done": (
        "You have withdrawn. Warnings to everybody still reach you.",
        "已退出。发给所有人的预警仍会到您那里。",
    ),
    "guardian_only": (
        "Your guardian decides this with you. Call {hotline} if you have none.",
        "这要由监护人和您一起决定。没有监护人请打{hotline}。",
    ),
    "she_decides": (
        "Only the person decides this. You can help to decide, and not instead: sit together and use their own phone.",
        "这只能由本人决定。您可以帮着想,不能代替:请一起坐下,用本人的手机。",
    ),
    "she_said": (
        "The person said this, so only the person changes it.",
        "这是本人说的,只有本人能改。",
    ),
    "text_call_name": ("What should we call you?", "我们怎样称呼您?"),
    "text_address": (
        "What is your address, as an officer must read it at night?",
        "您的住址是什么?要让夜里上门的人看得懂。",
    ),
    "text_wake": ("How can we wake you or make you hear the door?", "怎样叫醒您,或让您知道有人敲门?"),
    "text_talk": ("How do we talk with you?", "怎样和您沟通?"),
    "text_moves": ("How do we help you to move?", "怎样帮您行动?"),
    "text_note": ("What else must somebody at your door know?", "上门的人还要知道什么?"),
    "text_hint": (
        "It is locked at once: only who comes to your door can open it, so what stands there now cannot be shown.",
        "马上加密,只有上门的人能打开,所以现在的内容不能显示。",
    ),
    "number_between": ("Type a number from {least} to {most}.", "请填{least}到{most}之间的数。"),
    "choose_one": ("Choose one.", "请选一项。"),
}
LANGUAGES = {"en": "English", "zh": "中文"}


def words(language: str, key: str, **values: object) -> str:
    """One sentence, filled in."""
    return WORDS[key][1 if language == "zh" else 0].format(**values)
